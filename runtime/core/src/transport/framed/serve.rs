use std::{fmt, io, pin::pin, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{Accepted, Connection, Handshake, Listener, listener::AcceptedAs, serve_connection};
use crate::{
    Caller, Channel, Code, Drain, Limits, Service,
    transport::{ConnectionGauge, Inbound, Refusals, gauge::Counted},
};

/// How connections are accepted.
#[derive(Clone)]
pub struct ServeOptions {
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
            .field("limits", &self.limits)
            .field("max_connections", &self.max_connections)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}

/// How long accepting pauses where the operating system has nothing left to accept with: to try again at once
/// would only burn the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and answers their calls with the service, until the listener has no more or `drain` says
/// to stop. Then new connections are refused, calls in flight finish, and the connections are closed; what is
/// left when `drain` says to cut is cut.
///
/// A panic anywhere costs the call it happens in.
///
/// # Cancel safety
/// Dropping the future cuts the connections and their calls, without a drain; the listener is dropped too.
pub async fn serve<L: Listener>(
    listener: L,
    service: impl Service,
    options: ServeOptions,
    drain: Drain,
) -> L {
    serve_inbound(listener, Inbound::new(Channel::new(service)), options, drain).await
}

/// [`serve`] through this edge.
pub(crate) async fn serve_inbound<L: Listener>(
    listener: L,
    inbound: Inbound,
    options: ServeOptions,
    drain: Drain,
) -> L {
    serve_within(listener, inbound, options, drain, || Ok(())).await
}

/// [`serve`] through this edge, where each connection has what `place` gives for as long as it is there; one that gets none
/// is refused.
pub(super) async fn serve_within<L: Listener, P: Send + 'static>(
    mut listener: L,
    inbound: Inbound,
    options: ServeOptions,
    drain: Drain,
    place: impl Fn() -> Result<P, NoPlace>,
) -> L {
    let server = Arc::new(Server {
        inbound: inbound.limits(options.limits.clone()),
        permits: Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS))),
        refusals: Refusals::new(listener.transport()),
        options,
        drain: drain.clone(),
    });
    let mut connections = JoinSet::new();
    let mut refusing = false;
    let mut stopping = pin!(drain.stopping());
    loop {
        tokio::select! {
            attempt = next(&mut listener) => match attempt {
                None => break,
                Some(attempt) if refusing => drop(attempt),
                Some(attempt) => match place() {
                    Ok(place) => server.clone().accept(attempt, place, &mut connections),
                    Err(NoPlace) => drop(attempt),
                },
            },
            Some(_) = connections.join_next() => {}
            () = &mut stopping, if !refusing => refusing = true,
            () = std::future::ready(()), if refusing && connections.is_empty() => break,
        }
    }
    listener
}

/// There is no room for a connection.
pub(super) struct NoPlace;

async fn next<L: Listener>(listener: &mut L) -> Option<Handshake<L::Connection>> {
    loop {
        match listener.accept().await {
            Ok(attempt) => return attempt,
            // These concern the attempt that failed and no other.
            Err(error) if is_of_the_peer(&error) => tracing::debug!(%error, "a connection was not accepted"),
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

struct Server {
    inbound: Inbound,
    options: ServeOptions,
    permits: Arc<Semaphore>,
    refusals: Refusals,
    drain: Drain,
}

impl Server {
    fn accept<C: Connection>(
        self: Arc<Self>,
        attempt: Handshake<C>,
        place: impl Send + 'static,
        connections: &mut JoinSet<()>,
    ) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return drop(attempt);
        };
        connections.spawn(async move {
            let (_permit, _place) = (permit, place);
            let handshake = tokio::time::timeout(self.options.handshake_timeout, attempt);
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = self.drain.cutting() => return,
            };
            match shaken {
                Ok(Ok(accepted)) => self.serve(accepted).await,
                // The peer went by itself, as probes of load balancers do.
                Ok(Err(status)) if status.code() == Code::Cancelled => {
                    tracing::debug!(%status, "a handshake was broken off");
                }
                Ok(Err(status)) => self.refusals.say(&status.message()),
                Err(_) => self.refusals.say(&"it took too long"),
            }
        });
    }

    async fn serve<C: Connection>(&self, accepted: Accepted<C>) {
        let _counted = Counted::new(self.options.gauge.clone());
        let (connection, caller, only) = match accepted.0 {
            AcceptedAs::Framed { connection, caller, only } => (connection, caller, only),
            AcceptedAs::Other(serving) => {
                return tokio::select! {
                    () = serving => {}
                    () = self.drain.cutting() => {}
                };
            }
        };
        let inbound = self.inbound.clone().scoped(only);
        answer_calls(&connection, caller, inbound, self.drain.clone()).await;
    }
}

/// Answers the calls of a connection until it ends, and closes it where it is this side that ends it.
pub(crate) async fn answer_calls<C: Connection>(
    connection: &C,
    caller: Arc<Caller>,
    inbound: Inbound,
    drain: Drain,
) {
    tokio::select! {
        () = serve_connection(connection, caller, inbound, drain.clone(), || linger(connection)) => {}
        () = drain.cutting() => {}
    }
}

const MIN_LINGER: Duration = Duration::from_millis(20);
const MAX_LINGER: Duration = Duration::from_secs(1);

/// Three round trips: an answer on its way, once lost and repeated, is there by then.
fn linger(connection: &impl Connection) -> Duration {
    let round_trip = connection.path().and_then(|path| path.round_trip).unwrap_or_default();
    (round_trip * 3).clamp(MIN_LINGER, MAX_LINGER)
}
