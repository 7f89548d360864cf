//! An observer for tests, which counts in a map.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    CallObserver, ChoiceObserver, CircuitObserver, CircuitState, Collect, ConnectionGauge, Observer, Side,
};
use crate::{Code, payload::EncodeObserver};

/// What has been counted, by `name{labels}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<BTreeMap<String, i64>>>);

impl Recorder {
    /// What is not zero.
    pub(crate) fn counted(&self) -> BTreeMap<String, u64> {
        let counts = self.lock().clone().into_iter();
        counts
            .filter_map(|(name, count)| Some((name, u64::try_from(count).ok().filter(|n| *n > 0)?)))
            .collect()
    }

    fn add(&self, name: &str, labels: &str, count: i64) {
        *self.lock().entry(format!("{name}{{{labels}}}")).or_default() += count;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts under labels.
#[derive(Debug)]
struct Labelled {
    recorder: Recorder,
    prefix: &'static str,
    labels: String,
}

impl Labelled {
    fn add(&self, name: &str, count: i64) {
        self.recorder.add(&format!("{}{name}", self.prefix), &self.labels, count);
    }
}

impl EncodeObserver for Labelled {
    fn encoded(&self, bytes: usize) {
        self.add("bytes_sent_total", bytes as i64);
    }
}

impl CallObserver for Labelled {
    fn started(&self) {
        self.add("calls_in_flight", 1);
    }

    fn ended(&self, code: Code, _: Duration) {
        self.add("calls_in_flight", -1);
        let labels = format!("code=\"{}\",{}", code.name(), self.labels);
        self.recorder.add(&format!("{}calls_total", self.prefix), &labels, 1);
    }

    fn received(&self, messages: u64, bytes: u64) {
        self.add("messages_received_total", messages as i64);
        self.add("bytes_received_total", bytes as i64);
    }

    fn sent(&self, messages: u64) {
        self.add("messages_sent_total", messages as i64);
    }
}

impl ConnectionGauge for Labelled {
    fn opened(&self) {
        self.add("connections", 1);
    }

    fn closed(&self) {
        self.add("connections", -1);
    }
}

struct Choices {
    recorder: Recorder,
    names: (&'static str, &'static str),
    transports: Vec<&'static str>,
}

impl ChoiceObserver for Choices {
    fn chosen(&self, place: usize) {
        let labels = format!("service=\"{}\",transport=\"{}\"", self.names.0, self.transports[place]);
        self.recorder.add("chosen_total", &labels, 1);
    }

    fn ended(&self, place: usize, number: u32, code: Code) {
        let (service, method) = self.names;
        let labels = format!(
            "attempt=\"{number}\",code=\"{}\",method=\"{method}\",service=\"{service}\",transport=\"{}\"",
            code.name(),
            self.transports[place]
        );
        self.recorder.add("attempts_total", &labels, 1);
    }

    fn share(&self, _: usize, _: Option<f64>) {}
}

struct Circuit;

impl CircuitObserver for Circuit {
    fn changed(&mut self, _: CircuitState) {}
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
        let prefix = match side {
            Side::Client => "",
            Side::Server => "server_",
        };
        Arc::new(Labelled { recorder: self.clone(), prefix, labels })
    }

    fn connections(&self, transport: &'static str, side: Side) -> Arc<dyn ConnectionGauge> {
        let labels = format!("role=\"{}\",transport=\"{transport}\"", side.name());
        Arc::new(Labelled { recorder: self.clone(), prefix: "", labels })
    }

    fn choices(
        &self,
        names: (&'static str, &'static str),
        transports: &[&'static str],
    ) -> Box<dyn ChoiceObserver> {
        Box::new(Choices { recorder: self.clone(), names, transports: transports.to_vec() })
    }

    fn circuit(&self, _: &'static str) -> Box<dyn CircuitObserver> {
        Box::new(Circuit)
    }

    fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        self.add("fallbacks_total", &format!("from=\"{from}\",reason=\"{reason}\",to=\"{to}\""), 1);
    }

    fn retry(&self, transport: &'static str, reason: &'static str) {
        self.add("retries_total", &format!("reason=\"{reason}\",transport=\"{transport}\""), 1);
    }

    fn mirrored(&self, service: &str, outcome: &'static str) {
        self.add("shadow_calls_total", &format!("outcome=\"{outcome}\",service=\"{service}\""), 1);
    }

    fn collect(&self, _: Box<dyn Collect>) -> Result<(), String> {
        Ok(())
    }
}
