#[cfg(feature = "node")]
use std::sync::Arc;

use tokio::time::Instant;

#[cfg(feature = "node")]
use crate::{
    Channel, Service as _,
    metrics::{InFlight, Metrics, Side, UNKNOWN},
};
use crate::{Code, Context};

/// Counts the calls that reach a listener, each once, with the code that its caller sees: also those that no service is
/// asked about. Counts nothing where the listener is not a node's.
#[derive(Clone, Default)]
pub(crate) struct Arrivals {
    #[cfg(feature = "node")]
    counting: Option<Arc<Counting>>,
}

#[cfg(feature = "node")]
struct Counting {
    metrics: Metrics,
    /// Knows the methods by their paths.
    service: Channel,
}

/// A call that has arrived. Dropped before its end, it counts as cancelled, or as past its deadline.
#[derive(Default)]
pub(crate) struct Arrival {
    #[cfg(feature = "node")]
    in_flight: Option<InFlight>,
}

impl Arrivals {
    /// Counts into these metrics, where there are any, the calls that this service is there for.
    #[cfg(feature = "node")]
    pub(crate) fn new(metrics: Option<Metrics>, service: &Channel) -> Self {
        Self { counting: metrics.map(|metrics| Arc::new(Counting { metrics, service: service.clone() })) }
    }

    /// A call to this path has arrived. One that names no method that is served here, or has no head that could be read,
    /// is counted as unknown.
    #[cfg(feature = "node")]
    pub(crate) fn begin(&self, transport: &'static str, path: &[u8], deadline: Option<Instant>) -> Arrival {
        let Some(counting) = &self.counting else { return Arrival::default() };
        let method = std::str::from_utf8(path).ok().and_then(|path| counting.service.method(path));
        let (service, method) = method.map_or(UNKNOWN, |method| (method.service(), method.name()));
        let call = counting.metrics.call(Side::Server, service, method, transport);
        Arrival { in_flight: Some(call.start().with_deadline(deadline)) }
    }

    /// A call has arrived.
    #[cfg(not(feature = "node"))]
    pub(crate) fn begin(&self, _: &'static str, _: &[u8], _: Option<Instant>) -> Arrival {
        Arrival::default()
    }

    /// A call was turned away before anything of it was read.
    pub(crate) fn refused(&self, transport: &'static str, code: Code) {
        self.begin(transport, &[], None).end(code);
    }
}

impl Arrival {
    /// Has what answers the call count its messages, and not the call again.
    pub(crate) fn admit(&self, cx: &mut Context) {
        #[cfg(feature = "node")]
        {
            cx.counted = self.in_flight.as_ref().map(|call| call.call().clone());
        }
        #[cfg(not(feature = "node"))]
        let _ = cx;
    }

    /// The caller is about to see this code. Only the first that it sees counts.
    pub(crate) fn end(&mut self, code: Code) {
        #[cfg(feature = "node")]
        if let Some(call) = self.in_flight.take() {
            call.finish(code.name());
        }
        #[cfg(not(feature = "node"))]
        let _ = code;
    }
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrivals").finish_non_exhaustive()
    }
}
