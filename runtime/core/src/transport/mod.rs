//! The transports: networks that carry calls. Each converts calls of the [`Service`](crate::Service) trait to its peers'
//! protocol and back, and knows no other transport. All other code, also for built-in transports, uses the trait
//! [`Transport`] alone.

mod bind_error;
mod bound;
mod catch_panic;
mod descriptors;
#[cfg(feature = "unix")]
mod detected;
mod erased;
pub mod framed;
mod gauge;
#[cfg(feature = "grpc")]
pub mod grpc;
mod inbound;
#[cfg(feature = "iroh")]
pub mod iroh;
mod limits;
#[cfg(feature = "memory")]
pub mod memory;
mod meter;
#[cfg(feature = "mux")]
pub mod mux;
pub mod net;
mod outbound;
mod ports;
#[cfg(feature = "quic")]
pub mod quic;
mod refusals;
mod registry;
mod remote;
mod scheme;
mod target;
#[cfg(feature = "unix")]
pub mod unix;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::{fmt, future::Future, sync::Arc};

pub use self::{
    bind_error::BindError,
    bound::{BindContext, Bound, Check, Checks, LiveTarget, Serving},
    catch_panic::CatchPanic,
    limits::Limits,
    registry::{RegisterError, register},
    scheme::Scheme,
    target::{ConnectOptions, Target, TargetError},
};
pub use crate::{
    alpn::{AlpnError, AlpnName},
    network_path::NetworkPath,
    observer::ConnectionGauge,
};

#[cfg(feature = "unix")]
pub(crate) use self::detected::{Detected, Detector};
#[cfg(feature = "iroh")]
pub(crate) use self::ports::udp_is_free;
pub(crate) use self::registry::all;
#[doc(hidden)]
pub use self::{
    descriptors::{Descriptors, Place},
    meter::Meter,
    ports::Ports,
    registry::register_shared,
};
pub(crate) use self::{
    inbound::{Admitted, Arrival, Inbound, refused},
    limits::check_metadata_weight,
    outbound::{Departure, Outbound, broken_off},
    refusals::Refusals,
    remote::Remote,
};

use crate::{Channel, Codec, Status, settings::Section};
use futures_util::future::BoxFuture;

/// A network that carries calls, with a framing of its own. A network with bidirectional streams of bytes needs no framing:
/// implement [`StreamTransport`](framed::StreamTransport), which implies `Transport`.
///
/// Once it is [registered](register), channels call targets of its schemes, `[transport.NAME]` configures it, and a node
/// serves it if that section has `enabled = true`.
///
/// The semantics of calls must not depend on the transport. A transport carries metadata, deadlines, cancellation and the
/// final status, and enforces the limits. The suite of the crate `polywire-conformance` tests this.
pub trait Transport: Send + Sync + 'static {
    /// The section of the configuration, `[transport.NAME]`, declared by [`section!`](crate::section). It has a key
    /// `enabled`.
    type Config: Section;
    /// The address of a peer, as in its targets.
    type Address: Address;
    /// The listening side.
    type Bound: Bound;

    /// The name in the configuration, in metrics and in [`Caller`](crate::Caller): lower-case letters, digits and `_`.
    fn name(&self) -> &'static str;

    /// The schemes of its targets.
    fn schemes(&self) -> &'static [Scheme];

    /// The codec of calls without an explicit one. The default is MessagePack; override it if the transport's peers expect
    /// another.
    fn codec(&self) -> Codec {
        Codec::MessagePack
    }

    /// Whether its targets are local to a process or a machine, so that a node does not advertise them. The default is
    /// `false`.
    fn is_local(&self) -> bool {
        false
    }

    /// Parses the part of a target behind `scheme://`.
    ///
    /// # Errors
    /// The problem, as a text for people. The error text of the target adds the expected form.
    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Self::Address, String>;

    /// Creates a channel to the peer. It dials at the first call. If the peer is unreachable, calls fail with `Unavailable`
    /// and as not processed.
    ///
    /// The caller counts the calls. The transport counts the connections if the options have
    /// [`metrics`](ConnectOptions::metrics), by [`Metrics::connections`](crate::observer::Observer::connections).
    ///
    /// # Errors
    /// If the transport does not support the options, or cannot dial at all.
    fn connect(
        &self,
        address: Self::Address,
        options: ConnectOptions,
    ) -> impl Future<Output = Result<Connected, Status>> + Send;

    /// Binds the configured address. It does not accept connections yet.
    ///
    /// # Errors
    /// The error of binding, with the configuration key.
    fn bind(
        &self,
        config: Self::Config,
        node: BindContext,
    ) -> impl Future<Output = Result<Self::Bound, BindError>> + Send;
}

/// The address of a peer. Its `Display` is the whole target, including the scheme, and parses as the same address.
pub trait Address: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static {}

impl<A: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static> Address for A {}

/// A channel to a peer, with functions that close and renew its connection.
pub struct Connected {
    /// The channel. Its resources, such as a pool or an endpoint, live as long as it.
    pub channel: Channel,
    /// Closes the connection in an orderly manner. Dropping the channel does so only while the runtime keeps running.
    pub close: BoxFuture<'static, ()>,
    /// Reports the network path.
    pub path: PathProbe,
    /// Forces a reconnect on the next call; calls in flight keep the old connection.
    pub renew: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Connected {
    /// Creates a connection whose channel needs no orderly close.
    pub fn new(channel: impl crate::Service) -> Self {
        let close = Box::pin(std::future::ready(()));
        Self { channel: Channel::new(channel), close, path: PathProbe::default(), renew: None }
    }

    /// Sets a function that reports the network path.
    #[must_use]
    pub fn over(mut self, path: impl Fn() -> Option<NetworkPath> + Send + Sync + 'static) -> Self {
        self.path = PathProbe(Some(Arc::new(path)));
        self
    }

    /// Adds a function that forces a reconnect on the next call. Without one, a new connection requires a new channel.
    #[must_use]
    pub fn renewing(mut self, renew: impl Fn() + Send + Sync + 'static) -> Self {
        self.renew = Some(Box::new(renew));
        self
    }

    /// Sets the future that closes the connection in an orderly manner.
    #[must_use]
    pub fn closing(mut self, close: impl Future<Output = ()> + Send + 'static) -> Self {
        self.close = Box::pin(close);
        self
    }
}

/// Reports the network path of a channel while the channel exists. Clones share it.
#[derive(Clone, Default)]
pub struct PathProbe(Option<Arc<dyn Fn() -> Option<NetworkPath> + Send + Sync>>);

impl PathProbe {
    /// The current path; `None` before there is a connection, and if the transport does not know it.
    pub fn now(&self) -> Option<NetworkPath> {
        self.0.as_ref()?()
    }
}

impl fmt::Debug for PathProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathProbe").field(&self.now()).finish()
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}
