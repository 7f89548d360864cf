use std::time::Duration;

use polywire_core::settings::{MAX_DURATION, Setting};
use serde::{Deserialize, Serialize};

/// A delay, which may be zero: `"0s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delay(#[serde(with = "polywire_core::settings::duration")] pub Duration);

impl Delay {
    /// No delay.
    pub const ZERO: Self = Self(Duration::ZERO);
}

impl Setting for Delay {
    const EXPECTED: &'static str = "a duration up to a year, such as \"10s\", or \"0s\" for none";

    fn in_range(&self) -> bool {
        self.0 <= MAX_DURATION
    }
}
