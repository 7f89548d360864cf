use std::{path::PathBuf, time::Duration};

use crate::{Codec, Limits};

/// How [`Target::connect`](super::Target::connect) connects. What is not set is left to the transport's
/// own default.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive_interval: Option<Duration>,
    pub(super) limits: Option<Limits>,
    pub(super) codec: Option<Codec>,
    pub(super) ca_file: Option<PathBuf>,
    #[cfg(feature = "iroh")]
    pub(super) dialer: Option<crate::iroh::Dialer>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            keep_alive_interval: Some(Duration::from_secs(10)),
            limits: None,
            codec: None,
            ca_file: None,
            #[cfg(feature = "iroh")]
            dialer: None,
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
    /// not answer for as long again is lost. Default 10 s. `None` leaves it to TCP.
    ///
    /// A server that polices pings closes a connection whose streams are silent for some of these
    /// intervals; grpc-go's default is such
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

    /// A PEM file of the certificate authorities to trust under TLS, instead of those of the system.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Dials Iroh peers with this dialer, its endpoint and its pool, instead of an endpoint made for the
    /// one channel. Its timeout and profile apply, and its limits and codec unless they are set here.
    #[cfg(feature = "iroh")]
    #[must_use]
    pub fn dialer(mut self, dialer: crate::iroh::Dialer) -> Self {
        self.dialer = Some(dialer);
        self
    }
}
