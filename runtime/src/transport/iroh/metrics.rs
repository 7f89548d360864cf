//! What a scrape is told of an endpoint: the ways that its connections take, and what iroh counts itself.

use std::time::Duration;

use ::iroh::{Endpoint, TransportAddr};
use iroh_metrics::{MetricValue, MetricsGroupSet as _};
use prometheus::{
    GaugeVec, IntCounter, IntGauge, IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::known::Known;

/// Reads the endpoint whenever somebody scrapes.
pub(super) struct EndpointCollector {
    endpoint: Endpoint,
    known: Known,
    descriptions: Vec<Desc>,
}

impl EndpointCollector {
    /// # Errors
    /// When a name is malformed: iroh's own become part of ours.
    pub(super) fn new(endpoint: Endpoint, known: Known) -> Result<Self, prometheus::Error> {
        let mut collector = Self { endpoint, known, descriptions: Vec::new() };
        let all = collector.all()?;
        collector.descriptions = all.iter().flat_map(|part| part.desc()).cloned().collect();
        Ok(collector)
    }

    fn all(&self) -> Result<Vec<Box<dyn Collector>>, prometheus::Error> {
        let mut all = self.of_paths()?;
        for (group, item) in self.endpoint.metrics().iter() {
            let name = format!("polywire_iroh_{group}_{}", item.name());
            let help = item.help().lines().next().unwrap_or_default();
            match item.value() {
                MetricValue::Counter(value) => {
                    let counter = IntCounter::new(format!("{name}_total"), help)?;
                    counter.inc_by(value);
                    all.push(Box::new(counter));
                }
                MetricValue::Gauge(value) => {
                    let gauge = IntGauge::new(name, help)?;
                    gauge.set(value);
                    all.push(Box::new(gauge));
                }
                // iroh has none now.
                _ => {}
            }
        }
        Ok(all)
    }

    fn of_paths(&self) -> Result<Vec<Box<dyn Collector>>, prometheus::Error> {
        let open = Opts::new(
            "polywire_iroh_paths",
            "Paths of open connections; what is sent goes over the selected.",
        );
        let open = IntGaugeVec::new(open, &["kind", "selected"])?;
        let times = Opts::new(
            "polywire_iroh_round_trip_seconds",
            "Round trips of open connections, over the paths that are selected.",
        );
        let times = GaugeVec::new(times, &["kind", "statistic"])?;
        let mut round_trips = KINDS.map(|_| Vec::new());
        for kind in KINDS {
            // Zero is said too, so that a rule can ask for it.
            for selected in ["true", "false"] {
                open.with_label_values(&[kind, selected]);
            }
        }
        for connection in self.known.open() {
            for path in connection.paths().iter() {
                let kind = kind(path.remote_addr());
                let selected = path.is_selected();
                open.with_label_values(&[KINDS[kind], if selected { "true" } else { "false" }]).inc();
                if selected {
                    round_trips[kind].push(path.rtt());
                }
            }
        }
        for (kind, round_trips) in KINDS.into_iter().zip(&mut round_trips) {
            for (statistic, value) in statistics(round_trips) {
                times.with_label_values(&[kind, statistic]).set(value.as_secs_f64());
            }
        }
        Ok(vec![Box::new(open), Box::new(times)])
    }
}

const KINDS: [&str; 2] = ["direct", "relayed"];

/// Which of the kinds it is.
fn kind(address: &TransportAddr) -> usize {
    usize::from(matches!(address, TransportAddr::Relay(_)))
}

/// The extremes and the median, where there are any.
fn statistics(round_trips: &mut [Duration]) -> Vec<(&'static str, Duration)> {
    round_trips.sort_unstable();
    let at = |name, index: usize| Some((name, *round_trips.get(index)?));
    let last = round_trips.len().saturating_sub(1);
    [at("min", 0), at("median", last / 2), at("max", last)].into_iter().flatten().collect()
}

impl Collector for EndpointCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The names were well-formed when they were described.
        self.all().unwrap_or_default().iter().flat_map(|part| part.collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_told_by_their_extremes_and_the_median() {
        let of = |milliseconds: &[u64]| {
            let mut times: Vec<_> = milliseconds.iter().copied().map(Duration::from_millis).collect();
            statistics(&mut times)
                .into_iter()
                .map(|(name, time)| (name, time.as_millis()))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[7]), [("min", 7), ("median", 7), ("max", 7)]);
        assert_eq!(of(&[9, 1, 5, 7]), [("min", 1), ("median", 5), ("max", 9)]);
    }
}
