use std::time::Duration;

use crate::{
    Code, Context, Status,
    policy::{Policy, budget::Budget, pushback::Pushback},
};

/// A call whose latest attempt failed.
///
/// It is retried only if it was certainly not processed, or if the method is idempotent. Source of the rules: [gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md).
#[derive(Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) cx: &'a Context,
    pub(super) status: &'a Status,
    /// How many attempts were made.
    pub(super) made: u32,
    /// Whether there is somewhere to turn to where it was not tried.
    pub(super) elsewhere: bool,
}

impl Failed<'_> {
    /// Waits until another attempt may be made; false where none may.
    ///
    /// # Cancel safety
    /// What was taken from the budget stays taken.
    pub(super) async fn again(self, policy: &Policy, budget: &Budget) -> bool {
        let Some(wait) = self.wait(policy, budget) else { return false };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        true
    }

    fn wait(self, policy: &Policy, budget: &Budget) -> Option<Duration> {
        let Self { cx, status, made, elsewhere } = self;
        let unseen = status.is_not_processed();
        // Unimplemented does not change within one call: do not retry the same peer.
        let hopeless = !elsewhere && status.code() == Code::Unimplemented;
        // A call that was not processed may try every transport; all other attempts are limited.
        let spent = !(unseen && elsewhere) && made >= policy.max_attempts;
        if !repeatable(cx, status) || hopeless || spent {
            return None;
        }
        let wait = match Pushback::of(status) {
            Pushback::Never => return None,
            Pushback::After(wait) => wait,
            Pushback::None if elsewhere => Duration::ZERO,
            Pushback::None => policy.backoff.wait(made, fastrand::f64()),
        };
        let in_time = wait.is_zero() || cx.time_left().is_none_or(|left| left > wait);
        (in_time && (unseen || budget.withdraw())).then_some(wait)
    }
}

/// Whether a call may be retried after this status: it was not processed or is idempotent, and its deadline has not passed.
pub(super) fn repeatable(cx: &Context, status: &Status) -> bool {
    let unseen =
        status.is_not_processed() && matches!(status.code(), Code::Unavailable | Code::Unimplemented);
    let harmless = cx.idempotent
        && match status.code() {
            Code::Unavailable => true,
            Code::ResourceExhausted => matches!(Pushback::of(status), Pushback::After(_)),
            _ => false,
        };
    (unseen || harmless) && cx.time_left().is_none_or(|left| !left.is_zero())
}
