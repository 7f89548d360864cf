//! `transport.strategy.shift`: gradual migration of traffic to Iroh.

use std::collections::BTreeMap;

use polywire_core::ShortName;
use polywire_core::settings::Setting;
use serde::{Deserialize, Serialize};

/// The share of calls that prefer Iroh, by service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shift(BTreeMap<ShortName, f64>);

impl Shift {
    /// Each service and its share, from 0 to 1.
    pub fn iter(&self) -> impl Iterator<Item = (&ShortName, f64)> {
        self.0.iter().map(|(service, share)| (service, *share))
    }

    /// The share of this service, if it has one.
    pub fn of(&self, service: &ShortName) -> Option<f64> {
        self.0.get(service).copied()
    }
}

impl FromIterator<(ShortName, f64)> for Shift {
    fn from_iter<I: IntoIterator<Item = (ShortName, f64)>>(shares: I) -> Self {
        Self(shares.into_iter().collect())
    }
}

impl Setting for Shift {
    const EXPECTED: &'static str =
        "a share from 0 to 1 for each short name of a service, such as { inventory = 0.25 }";

    fn in_range(&self) -> bool {
        self.0.values().all(|share| (0.0..=1.0).contains(share))
    }
}
