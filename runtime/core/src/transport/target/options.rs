use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::{
    Codec, Limits,
    observer::{ConnectionGauge, Observer, Side},
};

/// How [`Target::connect`](super::Target::connect) connects. What is not set is left to the transport's
/// own default.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How often a connection asks whether its peer is still there, where it asks at all.
    pub keep_alive_interval: Option<Duration>,
    /// The limits on what is sent and on answers, where they are not the transport's own.
    pub limits: Option<Limits>,
    /// How calls are encoded that name no codec, where it is not the transport's own.
    pub codec: Option<Codec>,
    /// Whether a host's name may lead to other machines alone.
    pub remote_only: bool,
    /// The certificate authorities to trust, where they are not those of the system.
    pub ca_file: Option<PathBuf>,
    /// The Ed25519 secret key that proves who calls, where the transport proves that by a key and nothing that it
    /// dials from has one.
    pub secret_key: Option<[u8; 32]>,
    /// What is told of calls and connections.
    pub observer: Option<Arc<dyn Observer>>,
    own: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            keep_alive_interval: None,
            limits: None,
            codec: None,
            remote_only: false,
            ca_file: None,
            secret_key: None,
            observer: None,
            own: HashMap::new(),
        }
    }
}

impl ConnectOptions {
    /// Nothing but defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a connection may take to be made; then its calls fail with `Unavailable`. Default 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How often an HTTP/2 connection with calls on it asks whether its peer is still there; one that does
    /// not answer for as long again is lost. Default `None`: TCP's own probes find within 20 s out that a peer is gone,
    /// and only not that its process has stopped.
    ///
    /// gRPC's servers police pings, by default those that come more often than every 5 minutes without data: they end
    /// the connection with all of its calls. One that says so is asked half as often from then on
    /// ([gRFC A8](https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md)). Iroh has a
    /// keep-alive of its own, in its [`QuicProfile`](crate::iroh::QuicProfile).
    #[must_use]
    pub fn keep_alive_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.keep_alive_interval = interval.into();
        self
    }

    /// The limits on what is sent and on answers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Encodes calls that name no codec with this one.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Connects to no address of this machine or its link that the look-up of a host's name finds: for targets that another
    /// machine has named, which must not lead it to what listens here. It is checked at each connection, as a name may lead
    /// elsewhere the next time. Over Iroh nothing is looked up but relays, which are reached over https. By default any
    /// address will do. A transport of one's own asks by [`net::connect_to`](crate::transport::net::connect_to).
    #[must_use]
    pub fn remote_only(mut self) -> Self {
        self.remote_only = true;
        self
    }

    /// A PEM file of the certificate authorities to trust under TLS, instead of those of the system: those of servers, and
    /// of the relays over https through which an Iroh peer is reached (but where an endpoint of one's own
    /// [dials](crate::iroh::Dialer), which trusts what it was made with).
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Reads the CA file, if there is one, so that an unusable file is reported before a call.
    ///
    /// # Errors
    /// `InvalidArgument`, which names the file, when it cannot be read or holds no certificate.
    #[cfg(feature = "tls")]
    pub fn check_ca_file(&self) -> Result<(), crate::Status> {
        self.ca_file
            .as_deref()
            .map_or(Ok(()), |file| crate::transport::net::Authorities::read(file).map(drop))
    }

    /// Calls under the identity of this Ed25519 secret key on transports that have such identities: on Iroh the
    /// peer sees its endpoint id, by default that of a new key a connection; a [`Dialer`](crate::iroh::Dialer) has its own.
    /// Under TLS (gRPC, QUIC, WebSockets) the key, or a certificate that it has signed, is shown to servers that ask for
    /// one and name no authorities; by default nothing is.
    #[must_use]
    pub fn secret_key(mut self, key: [u8; 32]) -> Self {
        self.secret_key = Some(key);
        self
    }

    /// Counts the calls here, and the connections made for them. A node's
    /// `Node::connect_options` have its own metrics.
    #[must_use]
    pub fn metrics(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// What is told of the connections that this transport makes.
    pub(crate) fn gauge(&self, transport: &'static str) -> Option<Arc<dyn ConnectionGauge>> {
        Some(self.observer.as_ref()?.connections(transport, Side::Client))
    }

    /// Adds what one transport alone understands, one value a type: for Iroh a
    /// [`Dialer`](crate::iroh::Dialer), whose endpoint and pool are then used instead of an endpoint made for
    /// the one channel.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.own.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// The value of this type that was added.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.own.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("keep_alive_interval", &self.keep_alive_interval)
            .field("limits", &self.limits)
            .field("codec", &self.codec)
            .field("ca_file", &self.ca_file)
            .field("has_secret_key", &self.secret_key.is_some())
            .field("observer", &self.observer)
            .finish_non_exhaustive()
    }
}
