/// A proportion of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proportion {
    pub(super) hits: u64,
    pub(super) of: u64,
}

/// The quantile of the normal distribution for one-sided bounds that chance passes once in twenty times.
const Z: f64 = 1.645;

impl Proportion {
    /// The proportion itself; 0 of nothing.
    pub(super) fn rate(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }

    /// The bounds between which the proportion is of all calls of which these are some, each missed once in twenty times:
    /// Wilson's score interval (E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    /// Journal of the American Statistical Association 22, 1927). Of nothing it is taken to be 0.
    pub(super) fn bounds(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 0.0);
        }
        wilson(self.rate(), self.of as f64)
    }

    /// By how much this is at least greater than another, chance aside: the lower bound of the difference by Newcombe's
    /// hybrid of score intervals (R. G. Newcombe, Interval estimation for the difference between independent proportions,
    /// Statistics in Medicine 17, 1998, method 10). Above 0, it is greater at a level of 5 %.
    pub(super) fn at_least_above(self, other: Self) -> f64 {
        let (rate, (lower, _)) = (self.rate(), self.bounds());
        let (other_rate, (_, other_upper)) = (other.rate(), other.bounds());
        rate - other_rate - (rate - lower).hypot(other_upper - other_rate)
    }
}

/// Wilson's bounds of this rate among so many.
pub(super) fn wilson(rate: f64, of: f64) -> (f64, f64) {
    let z2 = Z * Z;
    let middle = rate + z2 / (2.0 * of);
    let reach = Z * (rate * (1.0 - rate) / of + z2 / (4.0 * of * of)).sqrt();
    let scale = 1.0 + z2 / of;
    ((middle - reach) / scale, (middle + reach) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hits: u64, of: u64) -> Proportion {
        Proportion { hits, of }
    }

    #[test]
    fn bounds_are_wilsons() {
        // 10 of 100 at z = 1.645, by hand.
        let (lower, upper) = of(10, 100).bounds();
        assert!((lower - 0.0608).abs() < 5e-4 && (upper - 0.1602).abs() < 5e-4, "{lower} {upper}");
        let (none, some) = of(0, 100).bounds();
        assert!(none.abs() < 1e-12 && (some - 0.0263).abs() < 5e-4, "{none} {some}");
        assert_eq!(of(0, 0).bounds(), (0.0, 0.0));
    }

    #[test]
    fn a_difference_is_told_from_chance() {
        for (this, other, greater) in [
            (of(1, 100), of(0, 1_000), true),
            (of(1, 100), of(1, 100), false),
            (of(3, 100), of(1, 100), false),
            (of(30, 1_000), of(10, 1_000), true),
            (of(1, 100), of(10, 1_000), false),
            (of(5, 100), of(0, 0), true),
            (of(0, 0), of(0, 0), false),
        ] {
            let above = this.at_least_above(other);
            assert_eq!(above > 0.0, greater, "{this:?} {other:?}: {above}");
        }
    }

    #[test]
    fn chance_alone_is_seldom_taken_for_a_difference() {
        let (mut seen, rounds, mut random) = (0, 2_000, random());
        for _ in 0..rounds {
            let mut draw =
                |calls| Proportion { hits: (0..calls).filter(|_| random() < 0.05).count() as u64, of: calls };
            let (candidate, baseline) = (draw(200), draw(600));
            seen += u32::from(candidate.at_least_above(baseline) > 0.0);
        }
        let share = f64::from(seen) / f64::from(rounds);
        assert!(share < 0.08, "{share}");
    }

    /// Numbers from 0 to 1, the same each time: splitmix64.
    fn random() -> impl FnMut() -> f64 {
        let mut state = 1_u64;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
        }
    }
}
