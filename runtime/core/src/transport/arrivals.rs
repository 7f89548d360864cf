use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    Channel, Code, Context, Service as _,
    observer::{InFlight, Observer, Side, UNKNOWN},
};

/// Counts the calls that reach a listener, each once, with the code that its caller sees: also those that no service is
/// asked about. Counts nothing where the listener has no observer.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(Option<Arc<Counting>>);

struct Counting {
    observer: Arc<dyn Observer>,
    /// Knows the methods by their paths.
    service: Channel,
}

/// A call that has arrived. Dropped before its end, it counts as cancelled, or as past its deadline.
#[derive(Default)]
pub(crate) struct Arrival(Option<InFlight>);

impl Arrivals {
    /// Tells this observer, where there is one, of the calls to this service.
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>, service: &Channel) -> Self {
        Self(observer.map(|observer| Arc::new(Counting { observer, service: service.clone() })))
    }

    /// A call to this path has arrived. One that names no method that is served here, or has no head that could be read,
    /// is counted as unknown.
    pub(crate) fn begin(&self, transport: &'static str, path: &[u8], deadline: Option<Instant>) -> Arrival {
        let Some(counting) = &self.0 else { return Arrival::default() };
        let method = std::str::from_utf8(path).ok().and_then(|path| counting.service.method(path));
        let (service, method) = method.map_or(UNKNOWN, |method| (method.service(), method.name()));
        let call = counting.observer.call(Side::Server, service, method, transport);
        Arrival(Some(InFlight::start(call, deadline)))
    }

    /// A call was turned away before anything of it was read.
    pub(crate) fn refused(&self, transport: &'static str, code: Code) {
        self.begin(transport, &[], None).end(code);
    }
}

impl Arrival {
    /// Has what answers the call count its messages, and not the call again.
    pub(crate) fn admit(&self, cx: &mut Context) {
        cx.counted = self.0.as_ref().map(|call| call.call().clone());
    }

    /// The caller is about to see this code. Only the first that it sees counts.
    pub(crate) fn end(&mut self, code: Code) {
        if let Some(call) = self.0.take() {
            call.finish(code);
        }
    }
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrivals").finish_non_exhaustive()
    }
}
