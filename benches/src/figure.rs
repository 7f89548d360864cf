//! What was measured of one contestant.

use serde::{Deserialize, Serialize};

/// One measure of one contestant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The contestant's name.
    pub contestant: String,
    /// The measure's id.
    pub measure: String,
    /// A value a round, in the measure's unit; none where it cannot be measured.
    pub rounds: Vec<f64>,
    /// Why it cannot be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

/// Finds the figure of this contestant; `None` where it did not play.
pub fn find<'a>(figures: &'a [Figure], contestant: &str, measure: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.contestant == contestant && figure.measure == measure)
}
