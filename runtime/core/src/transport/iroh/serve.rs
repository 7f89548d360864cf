use std::{fmt, sync::Arc, time::Duration};

use ::iroh::Endpoint;

use super::{Alpns, incoming::Listener, known::Known};
use crate::{
    Channel, Drain, Limits, Service,
    transport::{ConnectionGauge, Inbound, framed},
};

/// How connections are accepted.
#[derive(Clone)]
pub struct ServeOptions {
    /// Which ALPNs are accepted, and what they reach.
    pub alpns: Alpns,
    /// The limits on each call.
    pub limits: Limits,
    /// How many connections may be open. Default 4,096; more are refused before their handshake.
    pub max_connections: usize,
    /// How long a handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// Told of every connection that opens and closes. Default none.
    pub gauge: Option<Arc<dyn ConnectionGauge>>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let framed::ServeOptions { limits, max_connections, handshake_timeout, gauge } =
            framed::ServeOptions::default();
        Self { alpns: Alpns::default(), limits, max_connections, handshake_timeout, gauge }
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("alpns", &self.alpns)
            .field("limits", &self.limits)
            .field("max_connections", &self.max_connections)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}

/// Accepts connections on the endpoint and answers their calls with the service, until the endpoint is
/// closed or `drain` says to stop. Then new connections are refused, calls in flight finish, and the
/// connections are closed; what is left when `drain` says to cut is cut.
///
/// A panic anywhere costs the call it happens in. Nothing else may accept on the same endpoint: the two
/// would take each other's connections.
///
/// # Cancel safety
/// Dropping the future cuts the connections and their calls, without a drain.
pub async fn serve(endpoint: Endpoint, service: impl Service, options: ServeOptions, drain: Drain) {
    let inbound = Inbound::new(Channel::new(service));
    serve_known(endpoint, Known::default(), inbound, options, drain).await;
}

/// [`serve`] that also records connections.
pub(super) async fn serve_known(
    endpoint: Endpoint,
    known: Known,
    inbound: Inbound,
    options: ServeOptions,
    drain: Drain,
) {
    endpoint.set_alpns(options.alpns.to_wire());
    let ServeOptions { alpns, limits, max_connections, handshake_timeout, gauge } = options;
    let listener = Listener { endpoint, alpns: Arc::new(alpns), known };
    let options = framed::ServeOptions { limits, max_connections, handshake_timeout, gauge };
    framed::serve_inbound(listener, inbound, options, drain).await;
}
