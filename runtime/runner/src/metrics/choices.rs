//! The metrics of channels over several transports.

use std::sync::OnceLock;

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::own;
use polywire_core::{
    Code,
    observer::{ChoiceObserver, CircuitObserver, CircuitState, UNKNOWN},
};

/// The metrics of all channels over several transports.
pub(super) struct Choices {
    attempts: IntCounterVec,
    chosen: IntCounterVec,
    share: GaugeVec,
    circuits: IntGaugeVec,
}

/// The labels of attempts, by number. Further attempts share the last label, which bounds the label's values.
const ATTEMPTS: [&str; 4] = ["1", "2", "3", "4+"];

/// The labels of a circuit's states, the initial state first.
const STATES: [&str; 5] = ["untried", "closed", "suspected", "open", "half_open"];

impl Choices {
    pub(super) fn register(registry: &Registry) -> Self {
        let attempts = Opts::new(
            "polywire_client_attempts_total",
            "Ended attempts of calls, by status code and number of the attempt.",
        );
        let chosen =
            Opts::new("polywire_client_chosen_total", "Calls by the transport that the policy chose.");
        let share = Opts::new(
            "polywire_client_share",
            "The share of calls that should prefer this transport, by policy, from 0 to 1.",
        );
        let circuits = Opts::new("polywire_client_circuits", "Subchannels, by state of their circuit.");
        let labels = ["service", "method", "transport", "code", "attempt"];
        Self {
            attempts: own(registry, IntCounterVec::new(attempts, &labels)),
            chosen: own(registry, IntCounterVec::new(chosen, &["service", "transport"])),
            share: own(registry, GaugeVec::new(share, &["service", "transport"])),
            circuits: own(registry, IntGaugeVec::new(circuits, &["transport", "state"])),
        }
    }

    /// The counters of a method on these transports.
    pub(super) fn method(&self, names: [&'static str; 2], transports: &[&'static str]) -> MethodChoices {
        let counters = |transport: &&'static str| TransportCounters {
            transport,
            chosen: OnceLock::new(),
            ended: std::array::from_fn(|_| Default::default()),
        };
        let (attempts, chosen, share) = (self.attempts.clone(), self.chosen.clone(), self.share.clone());
        let by_transport = transports.iter().map(counters).collect();
        let choices = MethodChoices { attempts, chosen, share, names, by_transport };
        if names == <[&str; 2]>::from(UNKNOWN) { choices } else { choices.at_zero() }
    }

    /// Counts a circuit on this transport.
    pub(super) fn circuit(&self, transport: &str) -> CircuitGauge {
        CircuitGauge::new(STATES.map(|state| self.circuits.with_label_values(&[transport, state])))
    }
}

/// The counters of one method on each transport of a channel; transports are identified by index. Each counter is looked up
/// at its first use; from then on counting neither locks nor allocates.
pub(super) struct MethodChoices {
    attempts: IntCounterVec,
    chosen: IntCounterVec,
    share: GaugeVec,
    names: [&'static str; 2],
    by_transport: Box<[TransportCounters]>,
}

struct TransportCounters {
    transport: &'static str,
    chosen: OnceLock<IntCounter>,
    ended: [[OnceLock<IntCounter>; Code::ALL.len()]; ATTEMPTS.len()],
}

impl MethodChoices {
    /// Creates the most common series at zero: a series that first appears at one has no rate.
    fn at_zero(self) -> Self {
        for place in 0..self.by_transport.len() {
            self.choice(place);
            self.attempt(place, 1, Code::Ok);
        }
        self
    }

    fn choice(&self, place: usize) -> &IntCounter {
        let counters = &self.by_transport[place];
        counters.chosen.get_or_init(|| self.chosen.with_label_values(&[self.names[0], counters.transport]))
    }

    fn attempt(&self, place: usize, number: u32, code: Code) -> &IntCounter {
        let counters = &self.by_transport[place];
        let before = (number.saturating_sub(1) as usize).min(ATTEMPTS.len() - 1);
        counters.ended[before][usize::from(code.number())].get_or_init(|| {
            let [service, method] = self.names;
            self.attempts.with_label_values(&[
                service,
                method,
                counters.transport,
                code.name(),
                ATTEMPTS[before],
            ])
        })
    }
}

impl ChoiceObserver for MethodChoices {
    fn chosen(&self, place: usize) {
        self.choice(place).inc();
    }

    fn ended(&self, place: usize, number: u32, code: Code) {
        self.attempt(place, number, code).inc();
    }

    fn share(&self, place: usize, share: Option<f64>) {
        let labels = [self.names[0], self.by_transport[place].transport];
        match share {
            Some(share) => self.share.with_label_values(&labels).set(share),
            // The series may not exist.
            None => drop(self.share.remove_label_values(&labels)),
        }
    }
}

/// Counts one circuit in its current state, until dropped.
pub(super) struct CircuitGauge {
    states: [IntGauge; STATES.len()],
    now: usize,
}

impl CircuitGauge {
    fn new(states: [IntGauge; STATES.len()]) -> Self {
        states[0].inc();
        Self { states, now: 0 }
    }
}

impl CircuitObserver for CircuitGauge {
    fn changed(&mut self, state: CircuitState) {
        let now = match state {
            CircuitState::Untried => 0,
            CircuitState::Closed => 1,
            CircuitState::Suspected => 2,
            CircuitState::Open => 3,
            CircuitState::HalfOpen => 4,
        };
        if now != self.now {
            self.states[now].inc();
            self.states[self.now].dec();
            self.now = now;
        }
    }
}

impl Drop for CircuitGauge {
    fn drop(&mut self) {
        self.states[self.now].dec();
    }
}
