//! What polywire may cost beside what it stands on.

use std::fmt;

use serde::Serialize;

use crate::{
    contestant::roster::{IROH, IRPC, POLYWIRE_GRPC, POLYWIRE_IROH, TONIC},
    figure::{self, Figure},
    measure::{RATE_AT_MANY, RATE_AT_ONE, THROUGHPUT_LARGE},
    spread::Spread,
};

/// A ratio that has to be reached: one contestant's figure by that of another.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Required {
    /// The measure's id; more is better.
    pub measure: &'static str,
    /// Whose figure is asked about.
    pub of: &'static str,
    /// Whose figure it is divided by.
    pub by: &'static str,
    /// The least that is enough.
    pub least: f64,
}

/// All of them.
pub const REQUIRED: &[Required] = &[
    Required { measure: RATE_AT_ONE, of: POLYWIRE_IROH, by: IROH, least: 0.85 },
    Required { measure: RATE_AT_MANY, of: POLYWIRE_IROH, by: IROH, least: 0.85 },
    Required { measure: RATE_AT_MANY, of: POLYWIRE_IROH, by: IRPC, least: 1.0 },
    Required { measure: THROUGHPUT_LARGE, of: POLYWIRE_IROH, by: IROH, least: 0.9 },
    Required { measure: RATE_AT_ONE, of: POLYWIRE_GRPC, by: TONIC, least: 0.95 },
    Required { measure: RATE_AT_MANY, of: POLYWIRE_GRPC, by: TONIC, least: 0.95 },
];

/// How one of them came out.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outcome {
    /// What was required.
    #[serde(flatten)]
    pub required: Required,
    /// The ratio, over the rounds.
    pub ratio: Spread,
    /// Whether its median is enough.
    pub met: bool,
}

impl Required {
    /// How it came out; `None` where one of the two did not play.
    pub fn outcome(self, figures: &[Figure]) -> Option<Outcome> {
        let rounds = |name| Some(&figure::find(figures, name, self.measure)?.rounds[..]);
        let ratio = Spread::of_ratios(rounds(self.of)?, rounds(self.by)?)?;
        Some(Outcome { required: self, ratio, met: ratio.median >= self.least })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Required { measure, of, by, least } = self.required;
        let Spread { median, min, max } = self.ratio;
        let verdict = if self.met { "met" } else { "NOT MET" };
        write!(f, "{measure}: {of} / {by}: {median:.3} ({min:.3}..{max:.3}), required {least:.2}: {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_met_by_its_median_and_has_no_outcome_where_one_did_not_play() {
        let required = Required { measure: "rate", of: "ours", by: "theirs", least: 0.9 };
        let figure = |contestant: &str, rounds: [f64; 3]| Figure {
            contestant: contestant.to_owned(),
            measure: "rate".to_owned(),
            rounds: rounds.into(),
            absent: None,
        };
        let figures = [figure("ours", [90.0, 9.0, 100.0]), figure("theirs", [100.0, 10.0, 1000.0])];
        assert!(required.outcome(&figures).unwrap().met);
        assert!(!Required { least: 0.91, ..required }.outcome(&figures).unwrap().met);
        assert!(Required { by: "nobody", ..required }.outcome(&figures).is_none());
    }
}
