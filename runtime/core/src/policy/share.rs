use std::sync::atomic::{AtomicU64, Ordering};

/// Picks a share of calls, spread as evenly as can be: of any number of calls in a row, the share to within one call or
/// two. Nothing is left to chance, so that a share of a hundredth shows after a hundred calls.
///
/// It walks the unit interval in steps of the golden ratio's fraction, whose multiples are the most even there are
/// (Knuth, The Art of Computer Programming, volume 3, section 6.4).
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicU64);

/// The golden ratio's fraction of 2^64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Share {
    /// Whether the next call belongs to the share, from 0 to 1.
    pub(crate) fn takes(&self, share: f64) -> bool {
        if share >= 1.0 {
            return true;
        }
        if share <= 0.0 {
            return false;
        }
        let at = self.0.fetch_add(STEP, Ordering::Relaxed);
        (at as f64) < share * (u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_run_of_calls_has_its_share(share in 0.0..=1.0, before in 0_usize..1_000, calls in 1_usize..1_000) {
            let picked = Share::default();
            (0..before).for_each(|_| { picked.takes(share); });
            let taken = (0..calls).filter(|_| picked.takes(share)).count();
            prop_assert!((taken as f64 - share * calls as f64).abs() < 4.0, "{taken} of {calls}");
        }
    }

    #[test]
    fn all_and_none_are_exact() {
        let share = Share::default();
        assert!((0..1_000).all(|_| share.takes(1.0)));
        assert!(!(0..1_000).any(|_| share.takes(0.0)));
    }
}
