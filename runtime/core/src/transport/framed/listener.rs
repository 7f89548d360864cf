use std::{fmt, io, pin::Pin, sync::Arc};

use futures_util::future::BoxFuture;

use super::Connection;
use crate::{
    AlpnName, Caller, Status,
    observer::Observer,
    transport::{Checks, Serving},
};

/// A connection that is being made. Dropped, the attempt is refused.
pub type Handshake<C> = Pin<Box<dyn Future<Output = Result<Accepted<C>, Status>> + Send>>;

/// Accepts connections that carry streams of bytes. Dropped, it listens no more.
pub trait Listener: Send + 'static {
    /// What is accepted.
    type Connection: Connection;

    /// The next attempt; `None` once there can be no more. Round trips belong to the handshake, so that a slow peer does not
    /// delay others.
    ///
    /// # Errors
    /// What the operating system says of this one attempt, or that it is out of resources. Accepting goes on
    /// after a pause.
    ///
    /// # Cancel safety
    /// Must be safe: an attempt is taken only by the call that returns it.
    fn accept(&mut self) -> impl Future<Output = io::Result<Option<Handshake<Self::Connection>>>> + Send;

    /// The name of the transport, for the log.
    fn transport(&self) -> &'static str {
        "framed"
    }

    /// Whether each connection takes a file descriptor: a node then keeps some for what must go on whatever its clients
    /// do. They do, but where all share one socket, as over QUIC.
    fn takes_descriptors(&self) -> bool {
        true
    }

    /// Registers what the transport can tell of itself with the node that it serves: [checks](Checks::register) of its
    /// health, and [what it measures](Observer::collect). Called once, before anything is accepted; by default there is
    /// nothing to tell.
    fn register(&mut self, checks: Option<&dyn Checks>, observer: Option<&dyn Observer>) {
        let _ = (checks, observer);
    }

    /// Called once, before anything is accepted, with what the calls of these connections are served with: a listener whose
    /// peers may also speak a protocol of their own [serves](Accepted::served) that with it. By default it is not needed.
    fn serve_with(&mut self, serving: &Serving) {
        let _ = serving;
    }

    /// The protocols of which a connection may name one, as a node tells them to others: see
    /// [`Bound::alpns`](crate::transport::Bound::alpns).
    fn alpns(&self) -> Vec<String> {
        Vec::new()
    }

    /// Listens no more, and returns once the peers of connections that were closed have been told, or cannot be.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        drop(self);
        std::future::ready(())
    }
}

/// A connection that has been made.
pub struct Accepted<C>(pub(super) AcceptedAs<C>);

/// What answers the calls of a connection.
pub(super) enum AcceptedAs<C> {
    /// The framing, for this caller, with this service alone if there is one.
    Framed { connection: C, caller: Arc<Caller>, only: Option<AlpnName> },
    /// This future.
    Other(BoxFuture<'static, ()>),
}

impl<C: Connection> Accepted<C> {
    /// Calls on this connection are made by this caller, and may reach every service.
    pub fn new(connection: C, caller: Caller) -> Self {
        Self(AcceptedAs::Framed { connection, caller: Arc::new(caller), only: None })
    }

    /// The peer speaks another protocol than the framing of this crate, and this future serves it: it ends with the
    /// connection, gracefully once the [drain](Serving::drain) says so. The connection counts like any other, and the future
    /// is dropped where the drain cuts connections.
    pub fn served(serving: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(AcceptedAs::Other(Box::pin(serving)))
    }

    /// Calls on this connection reach no service but the one that the name stands for.
    #[must_use]
    pub fn only(mut self, service: AlpnName) -> Self {
        if let AcceptedAs::Framed { only, .. } = &mut self.0 {
            *only = Some(service);
        }
        self
    }
}

impl<C: fmt::Debug> fmt::Debug for Accepted<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            AcceptedAs::Framed { connection, caller, only } => f
                .debug_struct("Accepted")
                .field("connection", connection)
                .field("caller", caller)
                .field("only", only)
                .finish(),
            AcceptedAs::Other(_) => f.debug_struct("Accepted").finish_non_exhaustive(),
        }
    }
}
