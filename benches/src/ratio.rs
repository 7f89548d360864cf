//! What polywire may cost beside what it stands on.

use std::fmt;

use crate::{contest::Entry, spread::Spread};

/// A figure that has to be reached: the rate of one contestant by that of another, under the same load.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// Whose rate is asked about.
    pub of: &'static str,
    /// Whose rate it is divided by.
    pub by: &'static str,
    /// The least that is enough.
    pub required: f64,
}

/// A ratio as it was measured.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    ratio: Ratio,
    spread: Spread,
}

impl Ratio {
    /// The ratio within each round, and over the rounds the median of that: what slows the machine down
    /// slows a whole round down. `None` where one of the two did not play.
    pub fn outcome(self, entries: &[Entry]) -> Option<Outcome> {
        let rates = |name| {
            let entry = entries.iter().find(|entry| entry.name == name)?;
            Some(entry.samples.iter().map(|sample| sample.rate()))
        };
        let spread = Spread::of(rates(self.of)?.zip(rates(self.by)?).map(|(of, by)| of / by))?;
        Some(Outcome { ratio: self, spread })
    }
}

impl Outcome {
    /// Whether the median is enough.
    pub fn is_met(&self) -> bool {
        self.spread.median >= self.ratio.required
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ratio { of, by, required } = self.ratio;
        let Spread { median, min, max } = self.spread;
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        write!(f, "{of} / {by}: {median:.3} ({min:.3}..{max:.3}), required {required:.2}: {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::Histogram;

    use super::*;
    use crate::{load::Load, sample::Sample};

    fn entry(name: &'static str, rates: [u64; 3]) -> Entry {
        let samples = rates.map(|rate| {
            let mut latencies = Histogram::new(2).unwrap();
            latencies.record_n(1, rate).unwrap();
            let load = Load { size: 1, in_flight: 1 };
            Sample { load, elapsed: Duration::from_secs(1), cpu: Duration::ZERO, latencies }
        });
        Entry { name, samples: samples.into() }
    }

    #[test]
    fn a_round_in_which_everything_was_slow_does_not_move_the_ratio() {
        let entries = [entry("ours", [90, 9, 900]), entry("theirs", [100, 10, 1000])];
        let met = Ratio { of: "ours", by: "theirs", required: 0.9 }.outcome(&entries).unwrap();
        assert_eq!(met.spread, Spread { median: 0.9, min: 0.9, max: 0.9 });
        assert!(met.is_met());
        assert!(!Ratio { of: "ours", by: "theirs", required: 0.91 }.outcome(&entries).unwrap().is_met());
        assert!(Ratio { of: "ours", by: "nobody", required: 0.9 }.outcome(&entries).is_none());
    }
}
