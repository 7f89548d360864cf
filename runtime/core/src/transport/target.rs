//! Where a peer answers, written as text, and the way there.

mod agreed;
mod error;
mod options;
mod replay;
mod scheme;

use std::{
    fmt::{self, Debug, Display},
    str::FromStr,
    sync::Arc,
};

use agreed::Agreed;
pub use error::TargetError;
pub use options::ConnectOptions;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    Channel, Codec, Status,
    transport::{Connected, Meter, Transport},
};
use futures_util::future::BoxFuture;

/// Where a peer answers, as people and scripts write it:
///
/// | form | what |
/// |---|---|
/// | `grpc://host:port` | gRPC over plaintext HTTP/2 |
/// | `grpcs://host:port` | gRPC over TLS |
/// | `iroh://ENDPOINT_ID?addr=ip:port&relay=URL` | Iroh; any number of `addr`, and a `relay`, tell where to look for the key |
/// | `quic://host:port` | plain QUIC, to a server with a certificate |
/// | `quic://host:port?key=PUBLIC_KEY` | plain QUIC, to the server that has this key |
/// | `unix:///path/to/socket` | a Unix socket |
/// | `ws://host:port/path`, `wss://…` | WebSockets, in plaintext or over TLS |
/// | `memory://name` | the server in this process that has bound the name |
/// | `endpoint…` | an Iroh endpoint ticket, which says the same in one word |
///
/// Each is there where its feature is, and a [registered](crate::transport::register) transport brings its own.
///
/// ```
/// use polywire::Target;
///
/// let target: Target = "grpc://127.0.0.1:7001".parse()?;
/// assert_eq!(target.transport(), "grpc");
/// assert_eq!(target.to_string(), "grpc://127.0.0.1:7001");
///
/// let wrong = "pigeon://127.0.0.1:7001".parse::<Target>().unwrap_err();
/// assert!(wrong.to_string().contains("`pigeon://` is not built in"));
/// # Ok::<(), polywire::TargetError>(())
/// ```
#[derive(Clone)]
pub struct Target(Arc<dyn Destination>);

/// An address of a transport.
trait Destination: Debug + Display + Send + Sync {
    fn transport(&self) -> &'static str;

    /// How calls are encoded that name no codec.
    fn codec(&self) -> Codec;

    fn is_local(&self) -> bool;

    fn connect(&self, options: ConnectOptions) -> BoxFuture<'static, Result<Connected, Status>>;
}

struct At<T: Transport> {
    transport: Arc<T>,
    address: T::Address,
}

impl Target {
    /// The target that this address is, whether or not the transport is
    /// [registered](crate::transport::register).
    pub fn new<T: Transport>(transport: T, address: T::Address) -> Self {
        Self::of(Arc::new(transport), address)
    }

    pub(crate) fn of<T: Transport>(transport: Arc<T>, address: T::Address) -> Self {
        Self(Arc::new(At { transport, address }))
    }

    /// The transport that leads there, for instance `grpc` or `iroh`.
    pub fn transport(&self) -> &'static str {
        self.0.transport()
    }

    /// How calls to it are encoded unless they, or [`ConnectOptions::codec`], say otherwise: protobuf over
    /// gRPC, MessagePack over our framing.
    pub fn default_codec(&self) -> Codec {
        self.0.codec()
    }

    /// Whether it means something else in another process or on another machine, as a Unix socket does.
    pub fn is_local(&self) -> bool {
        self.0.is_local()
    }

    /// A channel to the peer. Nothing is dialled before the first call; a peer that is not there shows
    /// as `Unavailable` then. A call that names no codec, and whose codec the peer does not take, as the target of a
    /// gateway may not, is made again in one that it takes, which the channel remembers. What the channel needs (a connection pool, an endpoint of its own) lives as
    /// long as the channel.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` when the CA file cannot be read, `Unavailable` when no socket can be bound.
    ///
    /// # Cancel safety
    /// Safe: nothing has been dialled, and what was opened so far is closed.
    pub async fn connect(&self, options: &ConnectOptions) -> Result<Channel, Status> {
        Ok(self.open(options).await?.channel)
    }

    /// A channel to the peer as [`connect`](Self::connect) gives it, and how to leave it in an orderly manner.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn open(&self, options: &ConnectOptions) -> Result<Connected, Status> {
        let mut connected = self.0.connect(options.clone()).await?;
        // Every server of gRPC takes protobuf.
        let codec = options.codec.unwrap_or_else(|| self.default_codec());
        if codec != Codec::Protobuf {
            connected.channel = Channel::new(Agreed::new(connected.channel, codec));
        }
        if let Some(observer) = &options.observer {
            let metered = Meter::client(connected.channel, observer.clone(), self.transport());
            connected.channel = Channel::new(metered);
        }
        Ok(connected)
    }
}

impl<T: Transport> Destination for At<T> {
    fn transport(&self) -> &'static str {
        self.transport.name()
    }

    fn codec(&self) -> Codec {
        self.transport.codec()
    }

    fn is_local(&self) -> bool {
        self.transport.is_local()
    }

    fn connect(&self, options: ConnectOptions) -> BoxFuture<'static, Result<Connected, Status>> {
        let (transport, address) = (self.transport.clone(), self.address.clone());
        Box::pin(async move { transport.connect(address, options).await })
    }
}

impl<T: Transport> Display for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.address, f)
    }
}

impl<T: Transport> Debug for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        scheme::parse(text)
    }
}

impl TryFrom<&str> for Target {
    type Error = TargetError;

    fn try_from(text: &str) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Target {}

impl crate::settings::Setting for Vec<Target> {
    const EXPECTED: &'static str = "a list of targets such as [\"grpc://192.0.2.1:7001\"]";
    const ELEMENT: &'static str = "a target such as \"grpc://192.0.2.1:7001\"";
}
