use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::Endpoint;

use super::NAME;
use crate::{
    ConnectOptions,
    transport::{
        ConnectionGauge,
        gauge::Counted,
        net::{self, FirstByte, Heard, write_through},
    },
};
use futures_util::future::BoxFuture;

/// Makes the TCP connections of a channel, each to whichever address of its host answers first, and counts each for as
/// long as it is open.
#[derive(Clone)]
pub(super) struct Connector {
    no_delay: bool,
    keep_alive: TcpKeepalive,
    remote_only: bool,
    patience: Option<Duration>,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    first: FirstByte,
    encryption: Option<Encryption>,
}

/// TLS towards a server of this name.
#[derive(Clone)]
pub(super) struct Encryption {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// The protocol that both sides must agree on (RFC 9113, section 3.2).
pub(super) const ALPN: &[u8] = b"h2";

/// How long what was sent may go unacknowledged before the connection is lost: as long as a silent one is probed. Linux'
/// own limit is a quarter of an hour (tcp(7), `tcp_retries2`).
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

impl Connector {
    /// With the settings of this endpoint and these options, encrypted if so wanted; `first` learns what the peer says first.
    pub(super) fn new(
        endpoint: &Endpoint,
        options: &ConnectOptions,
        encryption: Option<Encryption>,
        first: FirstByte,
    ) -> Self {
        let keep_alive = TcpKeepalive::new();
        let keep_alive = endpoint.get_tcp_keepalive().into_iter().fold(keep_alive, TcpKeepalive::with_time);
        let interval = endpoint.get_tcp_keepalive_interval().into_iter();
        let keep_alive = interval.fold(keep_alive, TcpKeepalive::with_interval);
        let retries = endpoint.get_tcp_keepalive_retries().into_iter();
        Self {
            no_delay: endpoint.get_tcp_nodelay(),
            keep_alive: retries.fold(keep_alive, TcpKeepalive::with_retries),
            patience: endpoint.get_connect_timeout(),
            remote_only: options.remote_only,
            gauge: options.gauge(NAME),
            first,
            encryption,
        }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Tcp;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Tcp>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (no_delay, keep_alive, patience) = (self.no_delay, self.keep_alive.clone(), self.patience);
        let remote_only = self.remote_only;
        let (gauge, first, encryption) = (self.gauge.clone(), self.first.clone(), self.encryption.clone());
        first.clear();
        Box::pin(async move {
            let tcp = within(patience, connect(&uri, remote_only)).await?;
            tcp.set_nodelay(no_delay)?;
            let socket = SockRef::from(&tcp);
            socket.set_tcp_keepalive(&keep_alive)?;
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
            let tcp = first.of(tcp);
            let io: Box<dyn Io> = match encryption {
                None => Box::new(tcp),
                Some(encryption) => Box::new(within(patience, encryption.shake(tcp)).await?),
            };
            Ok(Tcp { io: TokioIo::new(io), _counted: Counted::new(gauge) })
        })
    }
}

async fn connect(uri: &Uri, remote_only: bool) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    net::connect_host(host, uri.port_u16().unwrap_or_default(), remote_only).await
}

async fn within<T>(patience: Option<Duration>, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let Some(patience) = patience else { return step.await };
    tokio::time::timeout(patience, step).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {patience:?}")))
    })
}

impl Encryption {
    async fn shake(self, tcp: Heard<TcpStream>) -> io::Result<TlsStream<Heard<TcpStream>>> {
        let encrypted = TlsConnector::from(self.config).connect(self.name, tcp).await?;
        match encrypted.get_ref().1.alpn_protocol() {
            Some(ALPN) => Ok(encrypted),
            _ => Err(io::Error::other("the peer did not agree to HTTP/2 (ALPN h2)")),
        }
    }
}

/// A connection, encrypted or not.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection that is counted until its user drops it, which happens when it has ended.
pub(super) struct Tcp {
    io: TokioIo<Box<dyn Io>>,
    _counted: Counted,
}

impl Read for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(task, buffer)
    }
}

write_through!(Write for Tcp);
