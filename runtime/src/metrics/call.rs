use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use tokio::time::Instant;

use super::code;
use crate::{deadline, payload::EncodeObserver};

/// The metrics of one method on one transport, from [`Metrics::call`](super::Metrics::call). Clones share the metrics.
#[derive(Clone)]
pub struct CallMetrics {
    series: Arc<Series>,
}

pub(super) struct Series {
    pub(super) calls: IntCounterVec,
    pub(super) labels: [&'static str; 3],
    /// The series of each code, looked up at its first use.
    pub(super) by_code: [OnceLock<IntCounter>; code::COUNT],
    pub(super) duration: Histogram,
    pub(super) in_flight: IntGauge,
    pub(super) messages_received: IntCounter,
    pub(super) messages_sent: IntCounter,
    pub(super) bytes_received: IntCounter,
    pub(super) bytes_sent: IntCounter,
}

impl Series {
    fn ended(&self, code: &str) -> &IntCounter {
        let (number, name) = code::numbered(code);
        self.by_code[number].get_or_init(|| {
            let [service, method, transport] = self.labels;
            self.calls.with_label_values(&[service, method, transport, name])
        })
    }
}

impl CallMetrics {
    /// Creates the success counter at zero: a series that first appears at one has no rate.
    pub(super) fn new(series: Series) -> Self {
        series.ended("OK");
        Self { series: Arc::new(series) }
    }

    /// Counts a call as started.
    pub fn start(&self) -> InFlight {
        self.series.in_flight.inc();
        InFlight { call: self.clone(), started: Instant::now(), deadline: None, code: None }
    }

    /// Counts received messages and their encoded bytes, without framing.
    pub fn received(&self, messages: u64, bytes: u64) {
        self.series.messages_received.inc_by(messages);
        self.series.bytes_received.inc_by(bytes);
    }

    /// Counts sent messages and their encoded bytes, without framing.
    pub fn sent(&self, messages: u64, bytes: u64) {
        self.series.messages_sent.inc_by(messages);
        self.series.bytes_sent.inc_by(bytes);
    }
}

impl CallMetrics {
    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    /// An observer that counts the bytes of sent messages when they are encoded.
    pub(crate) fn observer(&self) -> Arc<dyn EncodeObserver> {
        self.series.clone()
    }
}

impl EncodeObserver for Series {
    fn encoded(&self, bytes: usize) {
        self.bytes_sent.inc_by(bytes as u64);
    }
}

impl fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallMetrics").field(&self.series.labels).finish()
    }
}

/// A call in flight.
///
/// It is counted exactly once: by [`finish`](Self::finish) with its code; if it is dropped before, as
/// `DEADLINE_EXCEEDED` after its deadline and as `CANCELLED` otherwise, since dropping the future cancels a call.
#[derive(Debug)]
#[must_use = "dropping it counts the call as cancelled"]
pub struct InFlight {
    call: CallMetrics,
    started: Instant,
    deadline: Option<Instant>,
    code: Option<&'static str>,
}

impl InFlight {
    /// Counts the call as ended with the gRPC code of this name (`OK`, `DEADLINE_EXCEEDED`, …); any other text counts as
    /// `UNKNOWN`.
    pub fn finish(mut self, code: &'static str) {
        self.code = Some(code);
    }

    /// Sets the deadline of the call.
    pub fn with_deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The method's metrics, for counting messages.
    pub fn call(&self) -> &CallMetrics {
        &self.call
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let series = &self.call.series;
        let abandoned = || match deadline::is_reached(self.deadline) {
            true => code::DEADLINE_EXCEEDED,
            false => code::CANCELLED,
        };
        series.duration.observe(self.started.elapsed().as_secs_f64());
        series.ended(self.code.unwrap_or_else(abandoned)).inc();
        // Last: a reader that sees no call in flight also sees the outcome.
        series.in_flight.dec();
    }
}
