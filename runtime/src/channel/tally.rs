//! What a channel counts of its choices.

use std::sync::Arc;

use super::{Fallback, route::Route};
#[cfg(feature = "node")]
use crate::method;
#[cfg(feature = "node")]
use crate::metrics::{CircuitGauge, MethodChoices, Metrics, UNKNOWN};
use crate::{Code, Status, policy::circuit::State};

/// Counts what a channel does, where somebody shows that, and tells of calls that were moved, where somebody asked.
#[derive(Clone, Default)]
pub(super) struct Tally {
    #[cfg(feature = "node")]
    pub(super) metrics: Option<Metrics>,
    pub(super) observer: Option<Observer>,
}

/// Who is told of fallbacks.
pub(super) type Observer = Arc<dyn Fn(&Fallback<'_>) + Send + Sync>;

#[cfg_attr(
    not(feature = "node"),
    expect(clippy::unused_self, reason = "without a node nobody shows anything")
)]
impl Tally {
    /// What is counted of the method at this path, which is this program's own, over these transports.
    pub(super) fn method(&self, path: &'static str, transports: &[&'static str]) -> MethodTally {
        #[cfg(not(feature = "node"))]
        let _ = (path, transports);
        MethodTally {
            #[cfg(feature = "node")]
            choices: self
                .metrics
                .as_ref()
                .map(|metrics| metrics.choices(method::split(path), transports).at_zero()),
        }
    }

    /// What is counted of methods of which nobody here has a name.
    pub(super) fn unknown(&self, transports: &[&'static str]) -> MethodTally {
        #[cfg(not(feature = "node"))]
        let _ = transports;
        MethodTally {
            #[cfg(feature = "node")]
            choices: self.metrics.as_ref().map(|metrics| metrics.choices(UNKNOWN, transports)),
        }
    }

    /// Shows whether a way over this transport works.
    pub(super) fn circuit(&self, transport: &'static str) -> CircuitTally {
        #[cfg(not(feature = "node"))]
        let _ = transport;
        CircuitTally {
            #[cfg(feature = "node")]
            gauge: self.metrics.as_ref().map(|metrics| metrics.circuit(transport)),
        }
    }

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
        if std::ptr::eq(from, to) {
            self.retry(from.transport, reason(status));
        } else {
            self.fallback(path, (from, to), reason(status), || Some(status.to_string()));
        }
    }

    /// A call that failed so is made again at another peer.
    #[cfg(feature = "node")]
    pub(super) fn elsewhere(&self, from: &'static str, to: &'static str, status: &Status) {
        if from == to {
            self.retry(from, reason(status));
        } else if let Some(metrics) = &self.metrics {
            metrics.fallback(from, to, reason(status));
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
            metrics.shadowed(method::split(path).0, outcome);
        }
        #[cfg(not(feature = "node"))]
        let _ = (path, outcome);
    }
}

/// Why a call is made again that failed so, in the words of the metrics.
fn reason(status: &Status) -> &'static str {
    if status.is_not_processed() { "not_processed" } else { "unavailable" }
}

/// Counts the calls of one method over each transport, which are named by their places in the channel.
pub(super) struct MethodTally {
    #[cfg(feature = "node")]
    choices: Option<MethodChoices>,
}

#[cfg_attr(
    not(feature = "node"),
    expect(clippy::unused_self, reason = "without a node nobody shows anything")
)]
impl MethodTally {
    /// A call is made, for which this transport has been chosen at first.
    pub(super) fn chosen(&self, place: usize) {
        #[cfg(feature = "node")]
        if let Some(choices) = &self.choices {
            choices.chosen(place);
        }
        #[cfg(not(feature = "node"))]
        let _ = place;
    }

    /// An attempt over this transport has ended so; the first of a call has the number 1.
    pub(super) fn ended(&self, place: usize, number: u32, code: Code) {
        #[cfg(feature = "node")]
        if let Some(choices) = &self.choices {
            choices.ended(place, number, code);
        }
        #[cfg(not(feature = "node"))]
        let _ = (place, number, code);
    }

    /// The policy asks for this share of the service's calls over the transport; `None` where measurements decide.
    pub(super) fn asks_for(&self, place: usize, share: Option<f64>) {
        #[cfg(feature = "node")]
        if let Some(choices) = &self.choices {
            choices.asks_for(place, share);
        }
        #[cfg(not(feature = "node"))]
        let _ = (place, share);
    }
}

/// Shows in which state one circuit is, until it is dropped.
pub(super) struct CircuitTally {
    #[cfg(feature = "node")]
    gauge: Option<CircuitGauge>,
}

#[cfg_attr(
    not(feature = "node"),
    expect(clippy::unused_self, reason = "without a node nobody shows anything")
)]
impl CircuitTally {
    /// The circuit is in this state now.
    pub(super) fn is(&mut self, state: State) {
        #[cfg(feature = "node")]
        if let Some(gauge) = &mut self.gauge {
            gauge.is(state);
        }
        #[cfg(not(feature = "node"))]
        let _ = state;
    }
}
