use std::sync::Arc;

use polywire_core::Identity;

use crate::tokens::Remembered;

/// A token whose signature and claims were verified.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) text: Box<str>,
    pub(super) identity: Arc<Identity>,
    /// When it begins to be in force, and when it ends, in seconds since 1970, with the issuer's leeway.
    pub(super) begins: u64,
    pub(super) ends: u64,
}

impl Remembered for Known {
    fn text(&self) -> &str {
        &self.text
    }

    fn is_over(&self, now: u64) -> bool {
        !self.is_in_force(now)
    }
}

impl Known {
    pub(super) fn is_in_force(&self, now: u64) -> bool {
        (self.begins..self.ends).contains(&now)
    }
}
