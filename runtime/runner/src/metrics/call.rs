use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use polywire_core::{
    __runner::EncodeObserver,
    Code,
    observer::{CallObserver, InFlight},
};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

/// The metrics of one method on one transport, from [`Metrics::call`](super::Metrics::call). Clones share the metrics.
#[derive(Clone)]
pub struct CallMetrics {
    series: Arc<Series>,
}

pub(super) struct Series {
    pub(super) calls: IntCounterVec,
    pub(super) labels: [&'static str; 3],
    /// The series of each code, looked up at its first use.
    pub(super) by_code: [OnceLock<IntCounter>; Code::ALL.len()],
    pub(super) duration: Histogram,
    pub(super) in_flight: IntGauge,
    pub(super) messages_received: IntCounter,
    pub(super) messages_sent: IntCounter,
    pub(super) bytes_received: IntCounter,
    pub(super) bytes_sent: IntCounter,
}

impl Series {
    fn by_code(&self, code: Code) -> &IntCounter {
        self.by_code[usize::from(code.number())].get_or_init(|| {
            let [service, method, transport] = self.labels;
            self.calls.with_label_values(&[service, method, transport, code.name()])
        })
    }
}

impl CallMetrics {
    /// Creates the success counter at zero: a series that first appears at one has no rate.
    pub(super) fn new(series: Series) -> Self {
        series.by_code(Code::Ok);
        Self { series: Arc::new(series) }
    }

    /// A call has started, which has no deadline.
    pub fn start(&self) -> InFlight {
        InFlight::start(self.series.clone(), None)
    }

    /// Counts received messages and their encoded bytes, without framing.
    pub fn received(&self, messages: u64, bytes: u64) {
        self.series.received(messages, bytes);
    }

    /// Counts sent messages and their encoded bytes, without framing.
    pub fn sent(&self, messages: u64, bytes: u64) {
        self.series.sent(messages);
        self.series.bytes_sent.inc_by(bytes);
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    pub(super) fn into_series(self) -> Arc<Series> {
        self.series
    }
}

impl CallObserver for Series {
    fn started(&self) {
        self.in_flight.inc();
    }

    fn ended(&self, code: Code, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
        self.by_code(code).inc();
        // Last: a reader that sees that nothing is in flight sees how it ended.
        self.in_flight.dec();
    }

    fn received(&self, messages: u64, bytes: u64) {
        self.messages_received.inc_by(messages);
        self.bytes_received.inc_by(bytes);
    }

    fn sent(&self, messages: u64) {
        self.messages_sent.inc_by(messages);
    }
}

impl EncodeObserver for Series {
    fn encoded(&self, bytes: usize) {
        self.bytes_sent.inc_by(bytes as u64);
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Series").field(&self.labels).finish()
    }
}

impl fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallMetrics").field(&self.series.labels).finish()
    }
}
