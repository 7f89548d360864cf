use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use polywire_core::observer::Side;

use super::call::{CallMetrics, Series};
use super::own;

const LABELS: &[&str] = &["service", "method", "transport"];
const CALL_LABELS: &[&str] = &["service", "method", "transport", "code"];

/// The upper bounds of the duration's buckets in seconds: three per decade, from 100 µs, twice the duration of a call on
/// loopback, to 60 s, beyond which there are only streams.
pub(super) const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];

/// The metrics of calls on one side.
pub(super) struct Families {
    calls: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGaugeVec,
    messages_received: IntCounterVec,
    messages_sent: IntCounterVec,
    bytes_received: IntCounterVec,
    bytes_sent: IntCounterVec,
}

impl Families {
    pub(super) fn register(registry: &Registry, side: Side) -> Self {
        let name = |what: &str| format!("polywire_{}_{what}", side.name());
        let counter = |what: &str, help: &str, labels: &[&str]| {
            own(registry, IntCounterVec::new(Opts::new(name(what), help), labels))
        };
        let duration =
            HistogramOpts::new(name("call_duration_seconds"), "Time from a call's start to its status.");
        let in_flight = Opts::new(name("calls_in_flight"), "Calls in flight.");
        Self {
            calls: counter("calls_total", "Ended calls, by status code.", CALL_LABELS),
            duration: own(registry, HistogramVec::new(duration.buckets(SECONDS.to_vec()), LABELS)),
            in_flight: own(registry, IntGaugeVec::new(in_flight, LABELS)),
            messages_received: counter("messages_received_total", "Messages received in calls.", LABELS),
            messages_sent: counter("messages_sent_total", "Messages sent in calls.", LABELS),
            bytes_received: counter(
                "bytes_received_total",
                "Encoded bytes of the messages received.",
                LABELS,
            ),
            bytes_sent: counter("bytes_sent_total", "Encoded bytes of the messages sent.", LABELS),
        }
    }

    /// The series of a service's method on a transport.
    pub(super) fn call(&self, labels: [&'static str; 3]) -> CallMetrics {
        CallMetrics::new(Series {
            calls: self.calls.clone(),
            labels,
            by_code: Default::default(),
            duration: self.duration.with_label_values(&labels),
            in_flight: self.in_flight.with_label_values(&labels),
            messages_received: self.messages_received.with_label_values(&labels),
            messages_sent: self.messages_sent.with_label_values(&labels),
            bytes_received: self.bytes_received.with_label_values(&labels),
            bytes_sent: self.bytes_sent.with_label_values(&labels),
        })
    }
}
