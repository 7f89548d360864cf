use std::time::Duration;

/// How long is waited before a call is attempted again over the same transport: exponentially longer, and anything
/// between nothing and that, so that callers that failed together do not come back together.
///
/// Source: [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
/// full jitter; [gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exponential-backoff).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the second attempt. Default 50 ms.
    pub initial: Duration,
    /// The longest wait before any attempt. Default 1 s.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(50), max: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The wait behind so many attempts that failed, 1 or more; `random` is from 0 to 1.
    pub(crate) fn wait(&self, failed: u32, random: f64) -> Duration {
        let doubled = self.initial.saturating_mul(1 << failed.saturating_sub(1).min(16));
        doubled.min(self.max).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_its_bounds(failed in 1_u32.., random in 0.0..=1.0) {
            let backoff = Backoff::default();
            let wait = backoff.wait(failed, random);
            prop_assert!(wait <= backoff.max);
            prop_assert!(failed > 1 || wait <= backoff.initial);
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { initial: Duration::from_millis(100), max: Duration::from_millis(350) };
        let waits = [1, 2, 3, 4].map(|failed| backoff.wait(failed, 1.0).as_millis());
        assert_eq!(waits, [100, 200, 350, 350]);
    }
}
