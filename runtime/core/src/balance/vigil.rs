use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use tokio::{sync::futures::OwnedNotified, time::Instant};

use super::{Channel, liveness::PATIENCE_WITH_STREAMS, probe::probe, subchannel::Subchannel};
use crate::Code;
use futures_util::future::BoxFuture;

/// Looks after the path of a stream that is open: a stream has nothing to go by but its messages, and where it has no
/// deadline it would wait for as long as its transport does, which over TCP may be a quarter of an hour.
///
/// The path is given up once a probe was not answered and nothing has been heard for [`PATIENCE_WITH_STREAMS`], so that a
/// peer that stalls for a moment keeps its streams. A peer that answers, if only by refusing, does too: it may be draining.
pub(super) struct Vigil {
    subchannel: Arc<Subchannel>,
    /// What the stream was opened over, which the subchannel may have replaced since.
    way: Channel,
    /// The number of forced reconnects when the connection was last known to work.
    renewals: u32,
    lost: Option<Pin<Box<OwnedNotified>>>,
    /// Finds out whether the path is gone, where that is to be feared.
    check: Option<BoxFuture<'static, Found>>,
}

/// What a check has found.
enum Found {
    /// The path is gone.
    Gone,
    /// It works, after so many renewals of the subchannel.
    Alive(u32),
}

impl Vigil {
    /// That of a stream that was opened over this way, which is the subchannel's.
    pub(super) fn over(subchannel: Arc<Subchannel>, way: Channel) -> Self {
        subchannel.liveness.stream_opened();
        let renewals = subchannel.renewals();
        Self { subchannel, way, renewals, lost: None, check: None }
    }

    /// A message has come.
    pub(super) fn heard(&mut self) {
        self.subchannel.liveness.beat(Instant::now());
        self.check = None;
    }

    /// Completes once the path is gone.
    pub(super) fn poll_gone(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            if let Some(check) = &mut self.check {
                match check.as_mut().poll(task) {
                    Poll::Ready(Found::Gone) => return Poll::Ready(()),
                    Poll::Ready(Found::Alive(renewals)) => (self.check, self.renewals) = (None, renewals),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let Some(lost) = &mut self.lost else {
                // Listened for first, and looked at then, so that nothing is missed between the two.
                self.lost = Some(Box::pin(self.subchannel.lost.clone().notified_owned()));
                let feared = self.subchannel.is_dark() || self.subchannel.renewals() != self.renewals;
                self.check = feared.then(|| self.check());
                continue;
            };
            if lost.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            self.lost = None;
        }
    }

    fn check(&self) -> BoxFuture<'static, Found> {
        let (subchannel, way, renewals) = (self.subchannel.clone(), self.way.clone(), self.renewals);
        Box::pin(async move {
            let patience = subchannel.liveness.heard() + PATIENCE_WITH_STREAMS;
            if subchannel.is_dark_since(patience) {
                return Found::Gone;
            }
            let half = PATIENCE_WITH_STREAMS / 2;
            tokio::time::sleep_until(patience - half).await;
            let now = subchannel.renewals();
            if subchannel.is_dark() || now != renewals {
                // What is known of the subchannel may be old, for one that is set aside is asked seldom, or of another
                // connection. So the stream's own is asked.
                let asked = probe(&way, half).await;
                if asked.is_err_and(|status| status.code() == Code::DeadlineExceeded) {
                    return Found::Gone;
                }
            }
            Found::Alive(now)
        })
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.subchannel.liveness.stream_ended();
    }
}
