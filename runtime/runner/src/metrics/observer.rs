use std::sync::Arc;

use polywire_core::observer::{
    CallObserver, ChoiceObserver, CircuitObserver, Collect, ConnectionGauge, Observer, Side,
};

use super::{Metrics, collected::Collected};

impl Observer for Metrics {
    fn call(
        &self,
        side: Side,
        service: &'static str,
        method: &'static str,
        transport: &'static str,
    ) -> Arc<dyn CallObserver> {
        Self::call(self, side, service, method, transport).into_series()
    }

    fn connections(&self, transport: &'static str, side: Side) -> Arc<dyn ConnectionGauge> {
        Arc::new(Self::connections(self, transport, side))
    }

    fn choices(
        &self,
        names: (&'static str, &'static str),
        transports: &[&'static str],
    ) -> Box<dyn ChoiceObserver> {
        Box::new(self.inner.choices.method(names.into(), transports))
    }

    fn circuit(&self, transport: &'static str) -> Box<dyn CircuitObserver> {
        Box::new(self.inner.choices.circuit(transport))
    }

    fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        Self::fallback(self, from, to, reason);
    }

    fn retry(&self, transport: &'static str, reason: &'static str) {
        Self::retry(self, transport, reason);
    }

    fn mirrored(&self, service: &str, outcome: &'static str) {
        self.inner.shadows.with_label_values(&[service, outcome]).inc();
    }

    fn collect(&self, samples: Box<dyn Collect>) -> Result<(), String> {
        let collected = Collected::new(samples).map_err(|error| error.to_string())?;
        self.add_collector(Box::new(collected)).map_err(|error| error.to_string())
    }
}
