use super::proportion::wilson;

/// How long calls took, as far as buckets tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// The upper bounds of the buckets in seconds, in order.
    bounds: Vec<f64>,
    /// How many calls are in each, and behind them in none.
    counts: Vec<u64>,
}

impl Histogram {
    /// Adds so many calls to each bucket.
    ///
    /// # Errors
    /// When there are not as many counts as buckets, or these are others than before.
    pub(super) fn add(&mut self, bounds: &[f64], counts: &[u64]) -> Result<(), String> {
        if counts.len() != bounds.len() + 1 || !bounds.is_sorted() {
            return Err("its durations are malformed".to_owned());
        }
        if self.counts.is_empty() {
            *self = Self { bounds: bounds.to_vec(), counts: vec![0; counts.len()] };
        }
        if self.bounds != bounds {
            return Err("it counts durations in other buckets than the others".to_owned());
        }
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum = sum.saturating_add(*count);
        }
        Ok(())
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// In how many seconds this share of the calls is done, from 0 to 1; `None` without calls. Within a bucket they are
    /// taken to lie evenly, so that it is right to within the bucket's width, and beyond the last bound it is that: as
    /// Prometheus' [`histogram_quantile`](https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile).
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let calls = self.calls();
        if calls == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * calls as f64;
        let (mut before, mut lower) = (0.0, 0.0);
        for (upper, count) in self.bounds.iter().zip(&self.counts) {
            let count = *count as f64;
            if count > 0.0 && before + count >= rank {
                return Some(lower + (upper - lower) * ((rank - before) / count).max(0.0));
            }
            (before, lower) = (before + count, *upper);
        }
        Some(lower)
    }

    /// What that quantile of all calls of which these are some is at least, chance aside: the quantile at the rank that
    /// hardly more calls than that would be beyond by chance, by the [binomial distribution of
    /// ranks](https://en.wikipedia.org/wiki/Quantile#Estimating_quantiles_from_a_sample).
    pub(super) fn quantile_at_least(&self, share: f64) -> Option<f64> {
        let calls = self.calls();
        let (_, beyond) = wilson(1.0 - share, calls.max(1) as f64);
        self.quantile(1.0 - beyond)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];

    fn of(durations: &[f64]) -> Histogram {
        let mut counts = [0; BOUNDS.len() + 1];
        for duration in durations {
            counts[BOUNDS.iter().position(|bound| duration <= bound).unwrap_or(BOUNDS.len())] += 1;
        }
        let mut histogram = Histogram::default();
        histogram.add(&BOUNDS, &counts).unwrap();
        histogram
    }

    proptest! {
        #[test]
        fn a_quantile_is_right_to_within_its_bucket(
            mut durations in proptest::collection::vec(1e-5..9.9, 1..200),
            share in 0.01..=1.0,
        ) {
            let found = of(&durations).quantile(share).unwrap();
            durations.sort_by(f64::total_cmp);
            // The smallest that so many are at most.
            let exact = durations[(share * durations.len() as f64).ceil() as usize - 1];
            let upper = BOUNDS.iter().position(|bound| exact <= *bound).unwrap();
            let lower = if upper == 0 { 0.0 } else { BOUNDS[upper - 1] };
            prop_assert!((lower..=BOUNDS[upper]).contains(&found), "{found} for {exact}");
        }

        #[test]
        fn what_it_is_at_least_is_no_more_than_it_is(durations in proptest::collection::vec(1e-5..20.0, 1..200)) {
            let histogram = of(&durations);
            prop_assert!(histogram.quantile_at_least(0.99) <= histogram.quantile(0.99));
        }
    }

    #[test]
    fn calls_beyond_all_bounds_are_at_the_last() {
        assert_eq!(of(&[20.0, 30.0]).quantile(0.5), Some(10.0));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn histograms_of_several_nodes_are_one() {
        let mut sum = of(&[0.005; 99]);
        sum.add(&BOUNDS, &[0, 0, 0, 101, 0, 0]).unwrap();
        assert_eq!(sum.calls(), 200);
        assert!(sum.quantile(0.49).unwrap() <= 0.01 && sum.quantile(0.5).unwrap() > 0.1);
    }

    #[test]
    fn one_slow_call_in_a_hundred_may_be_chance_and_ten_are_not() {
        let with = |slow: usize| of(&[vec![0.005; 100 - slow], vec![5.0; slow]].concat());
        assert!(with(2).quantile(0.99).unwrap() > 1.0 && with(2).quantile_at_least(0.99).unwrap() <= 0.01);
        assert!(with(10).quantile_at_least(0.99).unwrap() > 1.0);
    }

    #[test]
    fn other_buckets_are_refused() {
        let mut sum = of(&[0.5]);
        assert!(sum.add(&[0.5, 1.0], &[1, 1, 1]).is_err());
        assert!(sum.add(&BOUNDS, &[1]).is_err());
        assert!(Histogram::default().add(&[1.0, 0.5], &[1, 1, 1]).is_err());
        assert_eq!(sum.calls(), 1);
    }
}
