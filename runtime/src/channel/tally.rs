//! What a channel counts of its choices.

#[cfg(feature = "node")]
use crate::metrics::Metrics;

/// Counts calls that were moved or made again, where somebody shows that.
#[derive(Default)]
pub(super) struct Tally {
    #[cfg(feature = "node")]
    pub(super) metrics: Option<Metrics>,
}

#[cfg_attr(
    not(feature = "node"),
    expect(clippy::unused_self, reason = "without a node nobody shows anything")
)]
impl Tally {
    /// A call goes over another transport than the one it prefers, or was going over.
    pub(super) fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        #[cfg(feature = "node")]
        if let Some(metrics) = &self.metrics {
            metrics.fallback(from, to, reason);
        }
        #[cfg(not(feature = "node"))]
        let _ = (from, to, reason);
    }

    /// A call that failed is made again, over the same transport or another.
    pub(super) fn again(&self, from: &'static str, to: &'static str, reason: &'static str) {
        if from == to {
            self.retry(from, reason);
        } else {
            self.fallback(from, to, reason);
        }
    }

    fn retry(&self, transport: &'static str, reason: &'static str) {
        #[cfg(feature = "node")]
        if let Some(metrics) = &self.metrics {
            metrics.retry(transport, reason);
        }
        #[cfg(not(feature = "node"))]
        let _ = (transport, reason);
    }

    /// Two answers to one call have been compared.
    pub(super) fn shadowed(&self, path: &str, outcome: &'static str) {
        #[cfg(feature = "node")]
        if let Some(metrics) = &self.metrics {
            metrics.shadowed(crate::method::split(path).0, outcome);
        }
        #[cfg(not(feature = "node"))]
        let _ = (path, outcome);
    }
}
