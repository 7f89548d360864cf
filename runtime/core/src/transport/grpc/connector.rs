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
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

use crate::transport::{
    ConnectionGauge,
    gauge::Counted,
    net::{self, FirstByte, Heard},
};
use futures_util::future::BoxFuture;

/// Makes the TCP connections of a channel, each to whichever address of its host answers first, and counts each for as
/// long as it is open.
#[derive(Clone)]
pub(super) struct Connector {
    no_delay: bool,
    keep_alive: TcpKeepalive,
    patience: Option<Duration>,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    first: FirstByte,
}

/// How long what was sent may go unacknowledged before the connection is lost: as long as a silent one is probed. Linux'
/// own limit is a quarter of an hour (tcp(7), `tcp_retries2`).
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

impl Connector {
    /// With the settings of this endpoint, and told to this gauge; `first` learns what the peer says first.
    pub(super) fn new(
        endpoint: &Endpoint,
        gauge: Option<Arc<dyn ConnectionGauge>>,
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
            gauge,
            first,
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
        let (gauge, first) = (self.gauge.clone(), self.first.clone());
        first.clear();
        Box::pin(async move {
            let tcp = connect(&uri, patience).await?;
            tcp.set_nodelay(no_delay)?;
            let socket = SockRef::from(&tcp);
            socket.set_tcp_keepalive(&keep_alive)?;
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
            Ok(Tcp { io: TokioIo::new(first.of(tcp)), _counted: Counted::new(gauge) })
        })
    }
}

async fn connect(uri: &Uri, patience: Option<Duration>) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let connecting = net::connect((host, uri.port_u16().unwrap_or_default()));
    let Some(patience) = patience else { return connecting.await };
    tokio::time::timeout(patience, connecting).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {patience:?}")))
    })
}

/// A connection that is counted until its user drops it, which happens when it has ended.
pub(super) struct Tcp {
    io: TokioIo<Heard<TcpStream>>,
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

impl Write for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(task, slices)
    }
}
