//! The networks that carry calls. None of them knows another; each turns calls at the waist into what its
//! peers speak, and back. Everything above knows them through the trait [`Transport`] alone, and those that are built in
//! have no other door.

mod alpn;
mod arrivals;
mod bind_error;
mod bound;
mod catch_panic;
mod descriptors;
mod erased;
pub mod framed;
mod gauge;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "iroh")]
pub mod iroh;
mod limits;
#[cfg(feature = "memory")]
pub mod memory;
mod meter;
#[cfg(feature = "mux")]
pub mod mux;
pub mod net;
mod ports;
#[cfg(feature = "quic")]
pub mod quic;
mod refusals;
mod registry;
mod remote;
mod scheme;
mod scope;
mod target;
#[cfg(feature = "unix")]
pub mod unix;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::{fmt, future::Future, sync::Arc};

pub use self::{
    alpn::{AlpnError, AlpnName},
    bind_error::BindError,
    bound::{BindContext, Bound, Check, Checks, LiveTarget, Serving},
    catch_panic::CatchPanic,
    limits::Limits,
    registry::{RegisterError, register},
    scheme::Scheme,
    target::{ConnectOptions, Target, TargetError},
};
pub use crate::{network_path::NetworkPath, observer::ConnectionGauge};

#[cfg(any(feature = "grpc", feature = "memory"))]
pub(crate) use self::arrivals::Arrival;
#[cfg(feature = "http")]
pub(crate) use self::descriptors::Place;
#[cfg(feature = "grpc")]
pub(crate) use self::limits::check_metadata_weight;
#[cfg(feature = "iroh")]
pub(crate) use self::ports::udp_is_free;
pub(crate) use self::registry::all;
pub(crate) use self::{arrivals::Arrivals, gauge::Counted, refusals::Refusals, remote::Remote};
#[doc(hidden)]
pub use self::{descriptors::Descriptors, meter::Meter, ports::Ports, registry::register_shared};

use crate::{Channel, Codec, Status, settings::Section};
use futures_util::future::BoxFuture;

/// A network that carries calls, with a framing of its own. A transport whose network has bidirectional
/// streams of bytes needs no framing: it is a [`StreamTransport`](super::framed::StreamTransport), and by that
/// a `Transport`.
///
/// Once it is [registered](register), targets of its schemes can be called, `[transport.NAME]` configures it,
/// and a node serves over it where that section says `enabled = true`.
///
/// What calls mean must not depend on the transport: metadata, deadlines, cancellation, the status at the end
/// and the limits are the transport's to carry. The suite of the crate `polywire-conformance` shows
/// whether it does.
pub trait Transport: Send + Sync + 'static {
    /// Its section of the configuration, `[transport.NAME]`, declared by [`section!`](crate::section). It has
    /// a key `enabled`.
    type Config: Section;
    /// Where a peer is, as its targets say it.
    type Address: Address;
    /// The listening side.
    type Bound: Bound;

    /// Its name in the configuration, in metrics and in [`Caller`](crate::Caller): lower-case letters, digits
    /// and `_`.
    fn name(&self) -> &'static str;

    /// The forms in which its targets are written.
    fn schemes(&self) -> &'static [Scheme];

    /// How calls are encoded that name no codec. MessagePack, unless the transport's world expects something
    /// else.
    fn codec(&self) -> Codec {
        Codec::MessagePack
    }

    /// Whether its targets are local to a process or a machine, so that a node does not advertise them. The default is
    /// `false`.
    fn is_local(&self) -> bool {
        false
    }

    /// Reads what follows `scheme://` in a target.
    ///
    /// # Errors
    /// What is wrong with it, for people; the form that was expected is said beside it.
    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Self::Address, String>;

    /// A way to the peer. Nothing is dialled before the first call; a peer that cannot be reached fails the
    /// calls, with `Unavailable` and as not processed.
    ///
    /// The caller counts the calls. The transport counts the connections if the options have
    /// [`metrics`](ConnectOptions::metrics), by [`Metrics::connections`](crate::observer::Metrics::connections).
    ///
    /// # Errors
    /// If the transport does not support the options, or cannot dial at all.
    fn connect(
        &self,
        address: Self::Address,
        options: ConnectOptions,
    ) -> impl Future<Output = Result<Connected, Status>> + Send;

    /// Binds what the configuration names, and accepts nothing yet.
    ///
    /// # Errors
    /// What could not be bound, and which key it came from.
    fn bind(
        &self,
        config: Self::Config,
        node: BindContext,
    ) -> impl Future<Output = Result<Self::Bound, BindError>> + Send;
}

/// Where a peer is. Its `Display` is the whole target, scheme included, and reads back as the same address.
pub trait Address: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static {}

impl<A: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static> Address for A {}

/// A way to a peer, and how to leave it in an orderly manner.
pub struct Connected {
    /// Makes the calls. What it needs (a pool, an endpoint of its own) lives as long as the channel.
    pub channel: Channel,
    /// Tells the peer that nothing more comes; dropping the channel may do so only while the runtime goes on.
    pub close: BoxFuture<'static, ()>,
    /// Tells which way the packets take.
    pub path: PathProbe,
    /// Forces a reconnect on the next call; calls in flight keep the old connection.
    pub renew: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Connected {
    /// A channel that may simply be dropped.
    pub fn new(channel: impl crate::Service) -> Self {
        let close = Box::pin(std::future::ready(()));
        Self { channel: Channel::new(channel), close, path: PathProbe::default(), renew: None }
    }

    /// The same channel, over the way that this tells of.
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

    /// The same channel, with an orderly end.
    #[must_use]
    pub fn closing(mut self, close: impl Future<Output = ()> + Send + 'static) -> Self {
        self.close = Box::pin(close);
        self
    }
}

/// Tells which way the packets of a channel take, for as long as the channel is there. Clones tell the same.
#[derive(Clone, Default)]
pub struct PathProbe(Option<Arc<dyn Fn() -> Option<NetworkPath> + Send + Sync>>);

impl PathProbe {
    /// The way that they take now; `None` before there is a connection, and where the transport does not know.
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
