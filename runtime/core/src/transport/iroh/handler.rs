use std::{sync::Arc, time::Duration};

use ::iroh::{
    endpoint::{Connection, VarInt},
    protocol::{AcceptError, ProtocolHandler},
};
use tokio::sync::watch;

use super::{QuicProfile, incoming::caller, profile::RECEIVE_WINDOW};
use crate::{
    Channel, Drain, Limits, Router, Server, Service,
    layer::{Layered, TowerService},
    server::Dispatch,
    transport::{
        Inbound,
        framed::{Batched, answer_calls},
    },
};

/// A service as an [`iroh::protocol::ProtocolHandler`], for a router of iroh's own beside other protocols.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// # fn show(endpoint: iroh::Endpoint) {
/// iroh::protocol::Router::builder(endpoint)
///     .accept(polywire::iroh::ALPN, DemoServer::new(Imp).into_iroh())
///     .spawn();
/// # }
/// ```
///
/// Whatever ALPN it is accepted under, it answers for the whole of its service.
///
/// A panic in a handler is `Internal` for that call; it never reaches the router, which would close the
/// whole endpoint. On shutdown, calls in flight have 5 s to finish.
#[derive(Debug)]
pub struct Handler {
    inbound: Inbound,
    max_concurrent_streams: u32,
    drain: Drain,
    open: watch::Sender<usize>,
}

/// How long [`ProtocolHandler::shutdown`] waits for calls in flight: iroh's router has no limit of its own.
const SHUTDOWN: Duration = Duration::from_secs(5);

impl Handler {
    /// Serves this service.
    pub fn new(service: impl Service) -> Self {
        Self {
            inbound: Inbound::new(Channel::new(service)),
            max_concurrent_streams: QuicProfile::default().max_concurrent_streams,
            drain: Drain::new(),
            open: watch::Sender::new(0),
        }
    }

    /// How many calls a peer may have open on one connection. Default 1,024.
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = streams;
        self
    }

    /// The same handler with these limits on each call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.inbound.limits = limits;
        self
    }
}

impl ProtocolHandler for Handler {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let _open = Open::new(&self.open);
        // The endpoint belongs to the application, and may have QUIC's default of a hundred.
        connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(self.max_concurrent_streams));
        let (caller, inbound) = (caller(&connection), self.inbound.clone());
        answer_calls(&Batched::new(connection), Arc::new(caller), inbound, self.drain.clone()).await;
        Ok(())
    }

    async fn shutdown(&self) {
        self.drain.stop();
        let mut open = self.open.subscribe();
        // An error says that some calls used up their time.
        let _ = tokio::time::timeout(SHUTDOWN, open.wait_for(|open| *open == 0)).await;
        self.drain.cut();
    }
}

/// One connection that is being served.
struct Open<'a>(&'a watch::Sender<usize>);

impl<'a> Open<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|open| *open += 1);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl<D: Dispatch<T>, T: Send + Sync + 'static> Server<D, T> {
    /// The service as a protocol handler for iroh's own router.
    pub fn into_iroh(self) -> Handler {
        Handler::new(self)
    }
}

impl<T: TowerService, S: Service> Layered<T, S> {
    /// The service as a protocol handler for iroh's own router.
    pub fn into_iroh(self) -> Handler {
        Handler::new(self)
    }
}

impl Router {
    /// The services as a protocol handler for iroh's own router.
    pub fn into_iroh(self) -> Handler {
        Handler::new(self)
    }
}

impl Channel {
    /// The service as a protocol handler for iroh's own router.
    pub fn into_iroh(self) -> Handler {
        Handler::new(self)
    }
}
