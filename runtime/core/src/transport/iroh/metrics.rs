//! What is measured of an endpoint: the ways that its connections take, and what iroh counts itself.

use std::time::Duration;

use ::iroh::{Endpoint, TransportAddr};
use iroh_metrics::{MetricValue, MetricsGroupSet as _};

use super::known::Known;
use crate::observer::{Collect, Sample, SampleKind};

/// Reads the endpoint whenever its measurements are shown.
pub(super) struct EndpointMetrics {
    endpoint: Endpoint,
    known: Known,
}

impl EndpointMetrics {
    pub(super) fn new(endpoint: Endpoint, known: Known) -> Self {
        Self { endpoint, known }
    }

    /// What iroh counts itself.
    fn of_iroh(&self) -> Vec<Sample> {
        let metrics = self.endpoint.metrics();
        let samples = metrics.iter().filter_map(|(group, item)| {
            let name = format!("polywire_iroh_{group}_{}", item.name());
            let help = item.help().lines().next().unwrap_or_default().to_owned();
            let (name, kind, value) = match item.value() {
                MetricValue::Counter(value) => (format!("{name}_total"), SampleKind::Counter, value as f64),
                MetricValue::Gauge(value) => (name, SampleKind::Gauge, value as f64),
                // iroh has none now.
                _ => return None,
            };
            Some(Sample { name, help, kind, labels: Vec::new(), value })
        });
        samples.collect()
    }

    /// The paths of open connections. Zero is told too, so that a rule can ask for it.
    fn of_paths(&self) -> Vec<Sample> {
        let mut open = [[0_u32; 2]; KINDS.len()];
        let mut round_trips = KINDS.map(|_| Vec::new());
        for connection in self.known.open() {
            for path in connection.paths().iter() {
                let kind = kind(path.remote_addr());
                open[kind][usize::from(path.is_selected())] += 1;
                if path.is_selected() {
                    round_trips[kind].push(path.rtt());
                }
            }
        }
        let mut samples = Vec::new();
        for (kind, counts) in KINDS.into_iter().zip(open) {
            for (selected, count) in ["false", "true"].into_iter().zip(counts) {
                let labels = [("kind", kind), ("selected", selected)];
                let help = "Paths of open connections; what is sent goes over the selected.";
                samples.push(gauge("polywire_iroh_paths", help, labels, f64::from(count)));
            }
        }
        for (kind, round_trips) in KINDS.into_iter().zip(&mut round_trips) {
            for (statistic, value) in statistics(round_trips) {
                let labels = [("kind", kind), ("statistic", statistic)];
                let help = "Round trips of open connections, over the paths that are selected.";
                samples.push(gauge("polywire_iroh_round_trip_seconds", help, labels, value.as_secs_f64()));
            }
        }
        samples
    }
}

fn gauge(name: &str, help: &str, labels: [(&'static str, &str); 2], value: f64) -> Sample {
    let labels = labels.map(|(label, value)| (label, value.to_owned())).to_vec();
    Sample { name: name.to_owned(), help: help.to_owned(), kind: SampleKind::Gauge, labels, value }
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

impl Collect for EndpointMetrics {
    fn samples(&self) -> Vec<Sample> {
        let mut samples = self.of_paths();
        samples.extend(self.of_iroh());
        samples
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
