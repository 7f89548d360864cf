use std::sync::Arc;

use super::{
    Connection, Dial, Listener, Peer, ServeOptions,
    serve::{NoPlace, serve_within},
};
use crate::{
    Codec, ConnectOptions, Status,
    settings::Section,
    transport::{
        Address, BindContext, BindError, Bound, Connected, ConnectionGauge, Inbound, Scheme, Serving,
        Transport,
    },
};

/// A network with bidirectional streams of bytes. The framing of [`wire`](crate::wire) does the rest: metadata,
/// deadlines, cancellation, limits and the status at the end need no thought here. Whatever is one of these is a
/// [`Transport`].
///
/// A network that has only one pipe of bytes a connection (TCP, a serial line, a WebSocket) becomes one with
/// streams through the [`mux`](crate::transport::mux).
pub trait StreamTransport: Clone + Send + Sync + 'static {
    /// As [`Transport::Config`].
    type Config: Section;
    /// As [`Transport::Address`].
    type Address: Address;
    /// Carries the streams, on both sides.
    type Connection: Connection;
    /// Accepts connections.
    type Listener: Listener<Connection = Self::Connection>;

    /// As [`Transport::name`].
    fn name(&self) -> &'static str;

    /// As [`Transport::schemes`].
    fn schemes(&self) -> &'static [Scheme];

    /// As [`Transport::codec`].
    fn codec(&self) -> Codec {
        Codec::MessagePack
    }

    /// As [`Transport::is_local`].
    fn is_local(&self) -> bool {
        false
    }

    /// As [`Transport::parse`].
    ///
    /// # Errors
    /// What is wrong with it, for people.
    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Self::Address, String>;

    /// Makes a connection. The caller counts it and cancels the dial after [`ConnectOptions::connect_timeout`].
    ///
    /// # Errors
    /// `Unavailable` where the peer cannot be reached, `InvalidArgument` where the options cannot be used.
    fn dial(
        &self,
        address: &Self::Address,
        options: &ConnectOptions,
    ) -> impl Future<Output = Result<Self::Connection, Status>> + Send;

    /// Listens where the configuration says.
    ///
    /// # Errors
    /// What could not be bound, and which key it came from.
    fn listen(
        &self,
        config: Self::Config,
        node: BindContext,
    ) -> impl Future<Output = Result<Listening<Self::Listener>, BindError>> + Send;
}

/// A listener, where it is reached, and how it accepts.
#[derive(Debug)]
pub struct Listening<L> {
    /// Accepts connections.
    pub listener: L,
    /// Where it is reached from this machine: a target.
    pub target: String,
    /// The options of accepting connections. The caller counts connections.
    pub options: ServeOptions,
}

impl<T: StreamTransport> Transport for T {
    type Config = T::Config;
    type Address = T::Address;
    type Bound = Listening<T::Listener>;

    fn name(&self) -> &'static str {
        self.name()
    }

    fn schemes(&self) -> &'static [Scheme] {
        self.schemes()
    }

    fn codec(&self) -> Codec {
        self.codec()
    }

    fn is_local(&self) -> bool {
        self.is_local()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<T::Address, String> {
        self.parse(scheme, rest)
    }

    async fn connect(&self, address: T::Address, options: ConnectOptions) -> Result<Connected, Status> {
        let codec = options.codec.unwrap_or_else(|| self.codec());
        let limits = options.limits.clone().unwrap_or_default();
        let peer = Peer::new(StreamDialer { transport: self.clone(), address, options }, codec, limits);
        let link = peer.link().clone();
        let (seen, stale) = (Arc::downgrade(&link), Arc::downgrade(&link));
        let forget = move || {
            if let Some(link) = stale.upgrade() {
                link.forget();
            }
        };
        Ok(Connected::new(peer)
            .over(move || seen.upgrade()?.path())
            .renewing(forget)
            .closing(async move { link.close().await }))
    }

    async fn bind(&self, config: T::Config, node: BindContext) -> Result<Self::Bound, BindError> {
        self.listen(config, node).await
    }
}

/// The way to one peer.
struct StreamDialer<T: StreamTransport> {
    transport: T,
    address: T::Address,
    options: ConnectOptions,
}

impl<T: StreamTransport> Dial for StreamDialer<T> {
    type Connection = T::Connection;

    fn transport(&self) -> &'static str {
        self.transport.name()
    }

    fn remote(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    fn gauge(&self) -> Option<Arc<dyn ConnectionGauge>> {
        self.options.gauge(self.transport.name())
    }

    async fn connect(&self) -> Result<T::Connection, Status> {
        let patience = self.options.connect_timeout;
        let dialled = tokio::time::timeout(patience, self.transport.dial(&self.address, &self.options));
        dialled.await.unwrap_or_else(|_| {
            Err(Status::unavailable(format!("{} did not answer within {patience:?}", self.address)))
        })
    }
}

impl<L: Listener> Bound for Listening<L> {
    fn target(&self) -> String {
        self.target.clone()
    }

    fn alpns(&self) -> Vec<String> {
        self.listener.alpns()
    }

    async fn serve(mut self, serving: Serving) {
        self.options.gauge = serving.connections.clone();
        self.listener.register(serving.checks.as_deref(), serving.observer.as_deref());
        self.listener.serve_with(&serving);
        let (inbound, drain) = (Inbound::from(&serving), serving.drain);
        let descriptors = serving.descriptors.filter(|_| self.listener.takes_descriptors());
        let place = || match &descriptors {
            None => Ok(None),
            Some(descriptors) => descriptors.try_place().map(Some).ok_or(NoPlace),
        };
        let served = serve_within(self.listener, inbound, self.options, drain, place).await;
        served.close().await;
    }

    async fn close(self) {
        self.listener.close().await;
    }
}
