//! How far the rounds lie apart.

use serde::Serialize;

/// The median of some numbers, and their extremes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median; of an even count the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of these numbers; `None` where there are none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted = Vec::from_iter(numbers);
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Some(Self { median: f64::midpoint(sorted[lower], sorted[upper]), min, max })
    }

    /// The spread of one row of rounds by another: what slows the machine down slows a whole round down, so
    /// the ratio is taken within each round. `None` where one has no rounds.
    pub fn of_ratios(of: &[f64], by: &[f64]) -> Option<Self> {
        Self::of(of.iter().zip(by).map(|(of, by)| of / by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_one_outlier_does_not_move_it() {
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 900.0, 2.0]), Some(Spread { median: 3.0, min: 1.0, max: 900.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_round_in_which_everything_was_slow_does_not_move_the_ratio() {
        let ratio = Spread::of_ratios(&[90.0, 9.0, 900.0], &[100.0, 10.0, 1000.0]);
        assert_eq!(ratio, Some(Spread { median: 0.9, min: 0.9, max: 0.9 }));
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }
}
