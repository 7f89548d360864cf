use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, ToSocketAddrs};

use super::ListenerOptions;
#[cfg(feature = "http1")]
use super::http1::Http1;
#[cfg(feature = "http2")]
use super::http2::Http2;
use super::serve::serve;
use super::service::HttpService;
use crate::{Drain, transport::Descriptors};

/// A bound TCP listener that has not begun to serve.
///
/// Binding comes first so that an address in use is an error at start, and so that port 0 is known before
/// anything is announced. Clients that connect in between wait in the kernel's backlog.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    descriptors: Option<Descriptors>,
}

impl Listener {
    /// Binds to the first of `address` that can be bound. Port 0 takes any free port.
    ///
    /// # Errors
    /// The operating system's: the address is in use, not of this machine, or needs a privilege.
    ///
    /// # Cancel safety
    /// Safe: nothing stays bound.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, descriptors: None })
    }

    /// Binds to this address, and says where that is.
    #[doc(hidden)]
    pub async fn bind_at(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = Self::bind(address).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    }

    /// The address that was bound, with the real port.
    ///
    /// # Errors
    /// The operating system's, when the socket is no longer valid.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The same, whose connections take no more descriptors than there are of these.
    #[cfg_attr(
        not(feature = "grpc"),
        expect(dead_code, reason = "for listeners that clients of a node reach")
    )]
    pub(crate) fn within(mut self, descriptors: Option<Descriptors>) -> Self {
        self.descriptors = descriptors;
        self
    }

    #[cfg(feature = "http2")]
    /// Serves HTTP/2, over TLS where `options.tls` is set, else with prior knowledge ([RFC 9113, 3.3]).
    ///
    /// Every request carries a [`ConnectionInfo`](super::ConnectionInfo) in its extensions. `service` is
    /// cloned for every connection and every request.
    ///
    /// Returns when `drain` was stopped and the last connection and its last handler have ended, or when it
    /// was cut.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener and every connection; handlers end at their next wake.
    ///
    /// [RFC 9113, 3.3]: https://www.rfc-editor.org/rfc/rfc9113#section-3.3
    pub async fn serve_http2<S>(self, options: ListenerOptions, service: S, drain: Drain)
    where
        S: HttpService,
    {
        let protocol = Http2::new(&options, service);
        serve(self.tcp, &options, protocol, &drain, self.descriptors.as_ref()).await;
    }

    #[cfg(feature = "http1")]
    /// Serves HTTP/1.1 with keep-alive, over TLS where `options.tls` is set.
    ///
    /// Otherwise as [`serve_http2`](Self::serve_http2), but for streams: a connection that is answering
    /// finishes that answer after a stop, an idle one is closed at once.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener and every connection with its handler.
    pub async fn serve_http1<S>(self, options: ListenerOptions, service: S, drain: Drain)
    where
        S: HttpService,
    {
        let protocol = Http1::new(&options, service);
        serve(self.tcp, &options, protocol, &drain, self.descriptors.as_ref()).await;
    }
}
