//! What a channel tells its observers of its choices.

use std::sync::Arc;

use super::{Fallback, subchannel::Subchannel};
use crate::{
    Code, Status, method,
    observer::{ChoiceObserver, CircuitObserver, CircuitState, Observer, UNKNOWN},
    policy::circuit::BreakerState,
};

/// Tells what a channel does, where there is an observer, and of calls that were moved, where a function wants to know.
#[derive(Clone, Default)]
pub(super) struct ChannelObserver {
    pub(super) metrics: Option<Arc<dyn Observer>>,
    pub(super) on_fallback: Option<OnFallback>,
}

/// Is told of fallbacks.
pub(super) type OnFallback = Arc<dyn Fn(&Fallback<'_>) + Send + Sync>;

impl ChannelObserver {
    /// What is counted of the method at this path, which is this program's own, over these transports.
    pub(super) fn method(&self, path: &'static str, transports: &[&'static str]) -> MethodObserver {
        self.choices(method::split(path), transports)
    }

    /// What is counted of methods that no table of this program has.
    pub(super) fn unknown(&self, transports: &[&'static str]) -> MethodObserver {
        self.choices(UNKNOWN, transports)
    }

    fn choices(&self, names: (&'static str, &'static str), transports: &[&'static str]) -> MethodObserver {
        MethodObserver(self.metrics.as_ref().map(|metrics| metrics.choices(names, transports)))
    }

    /// Shows whether a way over this transport works.
    pub(super) fn circuit(&self, transport: &'static str) -> CircuitGauge {
        CircuitGauge(self.metrics.as_ref().map(|metrics| metrics.circuit(transport)))
    }

    /// A call of this method goes over another transport than the one it prefers, or was going over.
    pub(super) fn fallback(
        &self,
        path: &str,
        (from, to): (&Subchannel, &Subchannel),
        reason: &'static str,
        error: impl FnOnce() -> Option<String>,
    ) {
        if let Some(metrics) = &self.metrics {
            metrics.fallback(from.transport, to.transport, reason);
        }
        if let Some(tell) = &self.on_fallback {
            tell(&Fallback { path, from: &from.target, to: &to.target, reason, error: error() });
        }
    }

    /// A call that failed so is made again, over the same transport or another.
    pub(super) fn again(&self, path: &str, (from, to): (&Subchannel, &Subchannel), status: &Status) {
        if std::ptr::eq(from, to) {
            self.retry(from.transport, reason(status));
        } else {
            self.fallback(path, (from, to), reason(status), || Some(status.to_string()));
        }
    }

    /// A call that failed so is made again at another peer.
    pub(super) fn elsewhere(&self, from: &'static str, to: &'static str, status: &Status) {
        if from == to {
            self.retry(from, reason(status));
        } else if let Some(metrics) = &self.metrics {
            metrics.fallback(from, to, reason(status));
        }
    }

    fn retry(&self, transport: &'static str, reason: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.retry(transport, reason);
        }
    }

    /// Two answers to one call have been compared.
    pub(super) fn shadowed(&self, path: &str, outcome: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.mirrored(method::split(path).0, outcome);
        }
    }
}

/// Why a call is made again that failed so, in the words of the metrics.
fn reason(status: &Status) -> &'static str {
    if status.is_not_processed() { "not_processed" } else { "unavailable" }
}

/// Counts the calls of one method over each transport, which are named by their places in the channel.
pub(super) struct MethodObserver(Option<Box<dyn ChoiceObserver>>);

impl MethodObserver {
    /// A call is made, for which this transport has been chosen at first.
    pub(super) fn chosen(&self, place: usize) {
        if let Some(choices) = &self.0 {
            choices.chosen(place);
        }
    }

    /// An attempt over this transport has ended so; the first of a call has the number 1.
    pub(super) fn ended(&self, place: usize, number: u32, code: Code) {
        if let Some(choices) = &self.0 {
            choices.ended(place, number, code);
        }
    }

    /// The policy asks for this share of the service's calls over the transport; `None` where measurements decide.
    pub(super) fn asks_for(&self, place: usize, share: Option<f64>) {
        if let Some(choices) = &self.0 {
            choices.share(place, share);
        }
    }
}

/// Shows in which state one circuit is, until it is dropped.
pub(super) struct CircuitGauge(Option<Box<dyn CircuitObserver>>);

impl CircuitGauge {
    /// The circuit is in this state now.
    pub(super) fn is(&mut self, state: BreakerState) {
        if let Some(circuit) = &mut self.0 {
            circuit.changed(match state {
                BreakerState::Untried => CircuitState::Untried,
                BreakerState::Closed => CircuitState::Closed,
                BreakerState::Suspected => CircuitState::Suspected,
                BreakerState::Open { .. } => CircuitState::Open,
                BreakerState::HalfOpen => CircuitState::HalfOpen,
            });
        }
    }
}
