//! One service, reached over each transport by the same code.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt;
use iroh::{
    endpoint::Connection,
    protocol::{AcceptError, ProtocolHandler},
};
use polywire::{
    Channel, Codec, Drain, Gateway, Limits, Service, ServiceExt as _, grpc, iroh as over_iroh,
    iroh::{QuicProfile, ServeOptions},
    net::{Listener, ListenerOptions},
    transport::ConnectionGauge,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;

use crate::endpoint;

/// The ways to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The server is the client.
    InProcess,
    /// gRPC by a node's own listener.
    Grpc,
    /// gRPC by a plain tonic `Server`.
    Tonic,
    /// Iroh by a node's own accept loop.
    Iroh,
    /// Iroh by iroh's own `Router`.
    IrohRouter,
    /// gRPC to a gateway, and Iroh from there.
    GrpcToIroh,
    /// Iroh to a gateway, and gRPC from there.
    IrohToGrpc,
}

/// What both ends agree on, or do not.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The server's limits on each call.
    pub server: Limits,
    /// The client's.
    pub client: Limits,
    /// What the client encodes with, if not by the transport's own choice.
    pub codec: Option<Codec>,
}

impl Terms {
    /// Those between the client and a gateway, which has no limit that neither end has.
    fn of_a_gateway(self) -> Self {
        let Self { server, client, .. } = &self;
        let server = Limits {
            max_message_bytes: server.max_message_bytes.max(client.max_message_bytes),
            max_metadata_bytes: server.max_metadata_bytes.max(client.max_metadata_bytes),
            message_timeout: server.message_timeout.max(client.message_timeout),
        };
        Self { server, ..self }
    }
}

/// A service and the way to it; dropped, both are gone.
pub struct Link {
    /// The way.
    pub channel: Channel,
    accepted: Arc<Accepted>,
    serving: Option<JoinHandle<()>>,
    target: Option<Box<Self>>,
    _held: Box<dyn Any + Send + Sync>,
}

/// The calls that one connection may have open at a time, on every transport that has such a limit.
pub const STREAMS: u32 = 1_024;

impl Transport {
    /// Serves the service and connects to it, with the defaults.
    pub async fn connect<S>(self, service: S) -> Link
    where
        S: Service,
        grpc::Adapter<S>: NamedService,
    {
        self.connect_with(service, Terms::default()).await
    }

    /// Serves the service and connects to it, on these terms.
    pub async fn connect_with<S>(self, service: S, terms: Terms) -> Link
    where
        S: Service,
        grpc::Adapter<S>: NamedService,
    {
        match self {
            Self::InProcess => Link::new(service.into_channel(), Arc::default(), None, ()),
            Self::Grpc => by_listener(service, terms).await,
            Self::Tonic => by_tonic(service, terms).await,
            Self::Iroh => by_accept_loop(service, terms).await,
            Self::IrohRouter => by_router(service, terms).await,
            Self::GrpcToIroh => {
                let (target, terms) = (by_accept_loop(service, terms.clone()).await, terms.of_a_gateway());
                by_listener(target.gateway(), terms).await.behind(target)
            }
            Self::IrohToGrpc => {
                let (target, terms) = (by_listener(service, terms.clone()).await, terms.of_a_gateway());
                by_accept_loop(target.gateway(), terms).await.behind(target)
            }
        }
    }

    /// Whether messages cross a network.
    pub fn is_network(self) -> bool {
        self != Self::InProcess
    }

    /// Whether the server holds the client to [`STREAMS`] calls at a time.
    pub fn limits_streams(self) -> bool {
        matches!(self, Self::Grpc | Self::Iroh | Self::IrohRouter)
    }
}

impl Link {
    fn new(
        channel: Channel,
        accepted: Arc<Accepted>,
        serving: Option<JoinHandle<()>>,
        held: impl Any + Send + Sync,
    ) -> Self {
        Self { channel, accepted, serving, target: None, _held: Box::new(held) }
    }

    /// Passes calls on to the service that this leads to.
    fn gateway(&self) -> Gateway {
        Gateway::new(self.channel.clone())
    }

    /// The way through a gateway that passes calls on to this one.
    fn behind(mut self, target: Self) -> Self {
        self.target = Some(Box::new(target));
        self
    }

    /// How many connections the server has accepted so far, or a gateway before it where those are more; 0 within
    /// a process.
    pub fn accepted(&self) -> usize {
        let behind = self.target.as_ref().map_or(0, |target| target.accepted());
        self.accepted.0.load(Ordering::SeqCst).max(behind)
    }

    /// Asserts that whatever happened cost no connection.
    ///
    /// # Panics
    /// When there was a second connection.
    #[track_caller]
    pub fn assert_one_connection(&self) {
        assert!(self.accepted() <= 1, "the connection was lost and made again");
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("accepted", &self.accepted()).finish_non_exhaustive()
    }
}

/// Counts what is accepted and never what ends.
#[derive(Debug, Default)]
struct Accepted(AtomicUsize);

impl ConnectionGauge for Accepted {
    fn opened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self) {}
}

async fn by_listener<S: Service>(service: S, terms: Terms) -> Link {
    let accepted = Arc::new(Accepted::default());
    let listener = Listener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let address = listener.local_addr().expect("a bound socket");
    let options = ListenerOptions {
        max_concurrent_streams: STREAMS,
        gauge: Some(accepted.clone()),
        ..ListenerOptions::default()
    };
    let adapter = grpc::Adapter::new(service).limits(terms.server.clone());
    let serving = tokio::spawn(listener.serve_http2(options, adapter, Drain::new()));
    Link::new(dial_grpc(address, &terms), accepted, Some(serving), ())
}

async fn by_tonic<S>(service: S, terms: Terms) -> Link
where
    S: Service,
    grpc::Adapter<S>: NamedService,
{
    let accepted = Arc::new(Accepted::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let address = listener.local_addr().expect("a bound socket");
    let counter = accepted.clone();
    let incoming = TcpListenerStream::new(listener).inspect(move |_| counter.opened());
    let adapter = grpc::Adapter::new(service).limits(terms.server.clone());
    let serving = tokio::spawn(async move {
        let served =
            tonic::transport::Server::builder().add_service(adapter).serve_with_incoming(incoming).await;
        served.expect("tonic serves");
    });
    Link::new(dial_grpc(address, &terms), accepted, Some(serving), ())
}

fn dial_grpc(address: std::net::SocketAddr, terms: &Terms) -> Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("a URI");
    let connection = grpc::Connection::new(endpoint.connect_lazy()).limits(terms.client.clone());
    match terms.codec {
        Some(codec) => connection.codec(codec).into_channel(),
        None => connection.into_channel(),
    }
}

async fn by_accept_loop<S: Service>(service: S, terms: Terms) -> Link {
    let accepted = Arc::new(Accepted::default());
    let profile = QuicProfile { max_concurrent_streams: STREAMS, ..QuicProfile::default() };
    let server = endpoint::tuned(&profile).await;
    let options = ServeOptions {
        limits: terms.server.clone(),
        gauge: Some(accepted.clone()),
        ..ServeOptions::default()
    };
    let serving = tokio::spawn(over_iroh::serve(server.clone(), service, options, Drain::new()));
    let (channel, client) = dial_iroh(&server, &terms).await;
    Link::new(channel, accepted, Some(serving), (server, client))
}

async fn by_router<S: Service>(service: S, terms: Terms) -> Link {
    let accepted = Arc::new(Accepted::default());
    let server = endpoint::plain().await;
    let handler = over_iroh::Handler::new(service).limits(terms.server.clone());
    let router = iroh::protocol::Router::builder(server.clone())
        .accept(over_iroh::ALPN, Counted { handler, accepted: accepted.clone() })
        .spawn();
    let (channel, client) = dial_iroh(&server, &terms).await;
    Link::new(channel, accepted, None, (router, client))
}

async fn dial_iroh(server: &iroh::Endpoint, terms: &Terms) -> (Channel, iroh::Endpoint) {
    let client = endpoint::plain().await;
    let mut dialer = over_iroh::Dialer::new(client.clone()).limits(terms.client.clone());
    if let Some(codec) = terms.codec {
        dialer = dialer.codec(codec);
    }
    (dialer.peer(endpoint::address(server)).into_channel(), client)
}

/// A handler whose connections are counted.
#[derive(Debug)]
struct Counted {
    handler: over_iroh::Handler,
    accepted: Arc<Accepted>,
}

impl ProtocolHandler for Counted {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        self.accepted.opened();
        self.handler.accept(connection).await
    }

    async fn shutdown(&self) {
        self.handler.shutdown().await;
    }
}

/// Makes of each `async fn name(transport) { … }` a module of tests, one a transport.
#[macro_export]
macro_rules! on_every_transport {
    ($($(#[$attribute:meta])* async fn $name:ident($transport:ident) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;
            use $crate::{link::Transport, patience::within};

            async fn check($transport: Transport) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_process() {
                within(check(Transport::InProcess)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_grpc() {
                within(check(Transport::Grpc)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_grpc_under_tonics_server() {
                within(check(Transport::Tonic)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_iroh() {
                within(check(Transport::Iroh)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_iroh_under_irohs_router() {
                within(check(Transport::IrohRouter)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_grpc_through_a_gateway_to_iroh() {
                within(check(Transport::GrpcToIroh)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_iroh_through_a_gateway_to_grpc() {
                within(check(Transport::IrohToGrpc)).await;
            }
        }
    )*};
}
