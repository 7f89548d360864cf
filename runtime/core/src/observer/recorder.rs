//! An observer for tests, which counts in a map: by the names and labels that a node's metrics have.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use super::{
    CallObserver, ChoiceObserver, CircuitObserver, CircuitState, Collect, ConnectionGauge, Observer, Side,
};
use crate::{
    Code,
    payload::EncodeObserver,
    sync::{Mutex, MutexGuard},
};

/// Values by `name{labels}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<BTreeMap<String, f64>>>);

impl Recorder {
    /// Everything as a page of Prometheus' text.
    pub(crate) fn page(&self) -> String {
        self.lock().iter().fold(String::new(), |mut page, (series, value)| {
            let _ = writeln!(page, "{series} {value}");
            page
        })
    }

    fn add(&self, name: &str, labels: &str, count: f64) {
        *self.lock().entry(format!("polywire_{name}{{{labels}}}")).or_default() += count;
    }

    fn set(&self, name: &str, labels: &str, value: Option<f64>) {
        let series = format!("polywire_{name}{{{labels}}}");
        match value {
            Some(value) => _ = self.lock().insert(series, value),
            None => _ = self.lock().remove(&series),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, f64>> {
        self.0.lock()
    }
}

/// Counts under labels.
#[derive(Debug)]
struct Labelled {
    recorder: Recorder,
    side: &'static str,
    labels: String,
}

impl Labelled {
    fn add(&self, name: &str, count: f64) {
        self.recorder.add(&format!("{}_{name}", self.side), &self.labels, count);
    }
}

impl EncodeObserver for Labelled {
    fn encoded(&self, bytes: usize) {
        self.add("bytes_sent_total", bytes as f64);
    }
}

impl CallObserver for Labelled {
    fn started(&self) {
        self.add("calls_in_flight", 1.0);
    }

    fn ended(&self, code: Code, _: Duration) {
        self.add("calls_in_flight", -1.0);
        let labels = format!("code=\"{}\",{}", code.name(), self.labels);
        self.recorder.add(&format!("{}_calls_total", self.side), &labels, 1.0);
    }

    fn received(&self, messages: u64, bytes: u64) {
        self.add("messages_received_total", messages as f64);
        self.add("bytes_received_total", bytes as f64);
    }

    fn sent(&self, messages: u64) {
        self.add("messages_sent_total", messages as f64);
    }
}

/// Counts the connections of one transport in one role.
struct Connections {
    recorder: Recorder,
    labels: String,
}

impl ConnectionGauge for Connections {
    fn opened(&self) {
        self.recorder.add("connections", &self.labels, 1.0);
    }

    fn closed(&self) {
        self.recorder.add("connections", &self.labels, -1.0);
    }
}

struct Choices {
    recorder: Recorder,
    names: (&'static str, &'static str),
    transports: Vec<&'static str>,
}

impl Choices {
    fn labels(&self, place: usize) -> String {
        format!("service=\"{}\",transport=\"{}\"", self.names.0, self.transports[place])
    }
}

impl ChoiceObserver for Choices {
    fn chosen(&self, place: usize) {
        self.recorder.add("client_chosen_total", &self.labels(place), 1.0);
    }

    fn ended(&self, place: usize, number: u32, code: Code) {
        let labels = format!(
            "attempt=\"{number}\",code=\"{}\",method=\"{}\",{}",
            code.name(),
            self.names.1,
            self.labels(place)
        );
        self.recorder.add("client_attempts_total", &labels, 1.0);
    }

    fn share(&self, place: usize, share: Option<f64>) {
        self.recorder.set("client_share", &self.labels(place), share);
    }
}

struct Circuit {
    recorder: Recorder,
    transport: &'static str,
    now: &'static str,
}

impl Circuit {
    fn add(&self, count: f64) {
        let labels = format!("state=\"{}\",transport=\"{}\"", self.now, self.transport);
        self.recorder.add("client_circuits", &labels, count);
    }
}

impl CircuitObserver for Circuit {
    fn changed(&mut self, state: CircuitState) {
        self.add(-1.0);
        self.now = match state {
            CircuitState::Untried => "untried",
            CircuitState::Closed => "closed",
            CircuitState::Suspected => "suspected",
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half_open",
        };
        self.add(1.0);
    }
}

impl Drop for Circuit {
    fn drop(&mut self) {
        self.add(-1.0);
    }
}

impl Observer for Recorder {
    fn call(
        &self,
        side: Side,
        service: &'static str,
        method: &'static str,
        transport: &'static str,
    ) -> Arc<dyn CallObserver> {
        let labels = format!("method=\"{method}\",service=\"{service}\",transport=\"{transport}\"");
        Arc::new(Labelled { recorder: self.clone(), side: side.name(), labels })
    }

    fn connections(&self, transport: &'static str, side: Side) -> Arc<dyn ConnectionGauge> {
        let labels = format!("role=\"{}\",transport=\"{transport}\"", side.name());
        Arc::new(Connections { recorder: self.clone(), labels })
    }

    fn choices(
        &self,
        names: (&'static str, &'static str),
        transports: &[&'static str],
    ) -> Box<dyn ChoiceObserver> {
        Box::new(Choices { recorder: self.clone(), names, transports: transports.to_vec() })
    }

    fn circuit(&self, transport: &'static str) -> Box<dyn CircuitObserver> {
        let circuit = Circuit { recorder: self.clone(), transport, now: "untried" };
        circuit.add(1.0);
        Box::new(circuit)
    }

    fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        let labels = format!("from=\"{from}\",reason=\"{reason}\",to=\"{to}\"");
        self.add("client_fallbacks_total", &labels, 1.0);
    }

    fn retry(&self, transport: &'static str, reason: &'static str) {
        let labels = format!("reason=\"{reason}\",transport=\"{transport}\"");
        self.add("client_retries_total", &labels, 1.0);
    }

    fn mirrored(&self, service: &str, outcome: &'static str) {
        let labels = format!("outcome=\"{outcome}\",service=\"{service}\"");
        self.add("client_shadow_calls_total", &labels, 1.0);
    }

    fn collect(&self, _: Box<dyn Collect>) -> Result<(), String> {
        Err("tests show no samples".to_owned())
    }
}
