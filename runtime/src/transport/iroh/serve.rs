use std::{fmt, pin::pin, sync::Arc, time::Duration};

use ::iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, VarInt},
};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Alpns, NAME, alpn::Reach, scope::Scope};
use crate::{
    Caller, Channel, Drain, Limits, Service,
    transport::{
        ConnectionGauge, Counted,
        framed::{Batched, Responder, serve_connection},
    },
    wire::ConnectionCode,
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
        Self {
            alpns: Alpns::default(),
            limits: Limits::default(),
            max_connections: 4096,
            handshake_timeout: Duration::from_secs(10),
            gauge: None,
        }
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
pub async fn serve(endpoint: Endpoint, service: impl Service, options: ServeOptions, drain: Drain) {
    endpoint.set_alpns(options.alpns.to_wire());
    let server = Arc::new(Server {
        service: service.into_channel(),
        permits: Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS))),
        options,
        drain: drain.clone(),
    });
    let mut connections = JoinSet::new();
    let mut refusing = false;
    let mut stopping = pin!(drain.stopping());
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                None => break,
                Some(incoming) if refusing => incoming.refuse(),
                Some(incoming) => server.clone().accept(incoming, &mut connections),
            },
            Some(_) = connections.join_next() => {}
            () = &mut stopping, if !refusing => refusing = true,
            () = std::future::ready(()), if refusing && connections.is_empty() => break,
        }
    }
}

struct Server {
    service: Channel,
    options: ServeOptions,
    permits: Arc<Semaphore>,
    drain: Drain,
}

impl Server {
    fn accept(self: Arc<Self>, incoming: Incoming, connections: &mut JoinSet<()>) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return incoming.refuse();
        };
        connections.spawn(async move {
            let _permit = permit;
            let handshake = tokio::time::timeout(self.options.handshake_timeout, incoming);
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = self.drain.cutting() => return,
            };
            match shaken {
                Ok(Ok(connection)) => self.serve(connection).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, accepted = %self.options.alpns, "a handshake failed")
                }
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }

    async fn serve(&self, connection: Connection) {
        let _counted = Counted::new(self.options.gauge.clone());
        let service = match self.options.alpns.reach(connection.alpn()) {
            Some(Reach::Everything) => self.service.clone(),
            Some(Reach::Service(alpn)) => Channel::new(Scope::new(self.service.clone(), alpn)),
            Some(Reach::Question) => return answer_question(&connection, &self.options.alpns).await,
            None => return close(&connection, ConnectionCode::Denied, ""),
        };
        let responder = Responder { service, limits: self.options.limits.clone() };
        serve_calls(&connection, responder, self.drain.clone()).await;
    }
}

/// Answers the calls of a connection until it ends, and closes it where it is this side that ends it.
pub(super) async fn serve_calls(connection: &Connection, responder: Responder, drain: Drain) {
    let caller = Arc::new(Caller {
        transport: NAME,
        identity: Some(connection.remote_id().to_string()),
        address: selected_address(connection),
    });
    let batched = Batched::new(connection.clone());
    tokio::select! {
        () = serve_connection(&batched, caller, responder, drain.clone(), || linger(connection)) => {}
        () = drain.cutting() => {}
    }
    close(connection, ConnectionCode::ShutDown, "");
}

const MIN_LINGER: Duration = Duration::from_millis(20);
const MAX_LINGER: Duration = Duration::from_secs(1);

async fn answer_question(connection: &Connection, alpns: &Alpns) {
    close(connection, ConnectionCode::Alpns, &alpns.to_string());
    connection.closed().await;
}

fn close(connection: &Connection, code: ConnectionCode, reason: &str) {
    connection.close(VarInt::from_u32(code.number().into()), reason.as_bytes());
}

fn selected_address(connection: &Connection) -> Option<String> {
    connection.paths().iter().find(|path| path.is_selected()).map(|path| format!("{:?}", path.remote_addr()))
}

/// Three round trips: an answer on its way, once lost and repeated, is there by then.
fn linger(connection: &Connection) -> Duration {
    let selected = connection.paths().iter().find(|path| path.is_selected()).map(|path| path.rtt());
    (selected.unwrap_or_default() * 3).clamp(MIN_LINGER, MAX_LINGER)
}
