use std::sync::atomic::{AtomicU32, Ordering};

/// How many calls may be made more than once: a token bucket, into which each call puts a fifth of a token and from which
/// each extra attempt at a call that a server may have seen takes one. When everything fails, a server meets a fifth
/// more calls and not three times as many.
///
/// Source: [gRFC A6, retry throttling](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs),
/// with the ratio of [Finagle's retry budgets](https://twitter.github.io/finagle/guide/Clients.html#retry-budget).
#[derive(Debug)]
pub(crate) struct Budget {
    /// In thousandths of a token.
    tokens: AtomicU32,
}

/// What a call puts in, and what an extra attempt takes.
const DEPOSIT: u32 = 200;
const WITHDRAWAL: u32 = 1_000;

/// What a client may do that has hardly made a call: ten extra attempts.
const INITIAL: u32 = 10 * WITHDRAWAL;

/// What a client saves at most: as many extra attempts as calls are in flight when a path goes dark under a load of a
/// thousand calls a second, and half a second passes until that shows.
const CAPACITY: u32 = 500 * WITHDRAWAL;

impl Budget {
    pub(crate) fn new() -> Self {
        Self { tokens: AtomicU32::new(INITIAL) }
    }

    /// A call is made.
    pub(crate) fn deposit(&self) {
        let tokens = self.tokens.load(Ordering::Relaxed);
        // A full bucket is only read; what two calls at once add too much is what they save.
        if tokens < CAPACITY {
            self.tokens.fetch_add(DEPOSIT, Ordering::Relaxed);
        }
    }

    /// Whether an extra attempt may be made; it has been paid for then.
    pub(crate) fn withdraw(&self) -> bool {
        let take = |tokens: u32| tokens.checked_sub(WITHDRAWAL);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// How many extra attempts may be made now.
    pub(crate) fn left(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed) / WITHDRAWAL
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn at_most_a_fifth_of_the_calls_is_made_again(wishes in proptest::collection::vec(0_u8..4, 0..5_000)) {
            let budget = Budget::new();
            let mut extra = 0;
            for wish in &wishes {
                budget.deposit();
                extra += (0..*wish).filter(|_| budget.withdraw()).count();
            }
            let most = wishes.len() / 5 + (INITIAL / WITHDRAWAL) as usize;
            prop_assert!(extra <= most, "{extra} extra attempts for {} calls", wishes.len());
        }
    }

    #[test]
    fn what_was_saved_is_bounded() {
        let budget = Budget::new();
        for _ in 0..100_000 {
            budget.deposit();
        }
        assert_eq!(budget.left(), CAPACITY / WITHDRAWAL);
    }
}
