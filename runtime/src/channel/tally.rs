//! What a channel counts of its choices.

use super::{Fallback, route::Route};
use crate::Status;
#[cfg(feature = "node")]
use crate::metrics::Metrics;

/// Counts calls that were moved or made again, where somebody shows that, and tells of them, where somebody asked.
#[derive(Default)]
pub(super) struct Tally {
    #[cfg(feature = "node")]
    pub(super) metrics: Option<Metrics>,
    pub(super) observer: Option<Observer>,
}

/// Who is told of fallbacks.
pub(super) type Observer = Box<dyn Fn(&Fallback<'_>) + Send + Sync>;

#[cfg_attr(
    not(feature = "node"),
    expect(clippy::unused_self, reason = "without a node nobody shows anything")
)]
impl Tally {
    /// A call of this method goes over another transport than the one it prefers, or was going over.
    pub(super) fn fallback(
        &self,
        path: &str,
        (from, to): (&Route, &Route),
        reason: &'static str,
        error: impl FnOnce() -> Option<String>,
    ) {
        #[cfg(feature = "node")]
        if let Some(metrics) = &self.metrics {
            metrics.fallback(from.transport, to.transport, reason);
        }
        if let Some(observer) = &self.observer {
            observer(&Fallback { path, from: &from.target, to: &to.target, reason, error: error() });
        }
    }

    /// A call that failed so is made again, over the same transport or another.
    pub(super) fn again(&self, path: &str, (from, to): (&Route, &Route), status: &Status) {
        let reason = if status.is_not_processed() { "not_processed" } else { "unavailable" };
        if std::ptr::eq(from, to) {
            self.retry(from.transport, reason);
        } else {
            self.fallback(path, (from, to), reason, || Some(status.to_string()));
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
