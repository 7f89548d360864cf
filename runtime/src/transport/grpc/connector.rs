use std::{
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

use crate::{
    net::{FirstByte, Heard},
    service::BoxFuture,
    transport::{ConnectionGauge, gauge::Counted},
};

/// Makes the TCP connections of a channel as tonic's own connector does, and counts each for as long as it is open.
pub(super) struct Connector {
    tcp: HttpConnector,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    first: FirstByte,
}

impl Connector {
    /// With the settings of this endpoint, and told to this gauge; `first` learns what the peer says first.
    pub(super) fn new(
        endpoint: &Endpoint,
        gauge: Option<Arc<dyn ConnectionGauge>>,
        first: FirstByte,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(endpoint.get_tcp_nodelay());
        tcp.set_keepalive(endpoint.get_tcp_keepalive());
        tcp.set_keepalive_interval(endpoint.get_tcp_keepalive_interval());
        tcp.set_keepalive_retries(endpoint.get_tcp_keepalive_retries());
        tcp.set_connect_timeout(endpoint.get_connect_timeout());
        Self { tcp, gauge, first }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Tcp;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<Result<Tcp, Self::Error>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(task).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri);
        let (gauge, first) = (self.gauge.clone(), self.first.clone());
        first.clear();
        Box::pin(async move {
            let tcp = connecting.await?.into_inner();
            Ok(Tcp { io: TokioIo::new(first.of(tcp)), _counted: Counted::new(gauge) })
        })
    }
}

/// A connection that counts until whoever uses it drops it, which they do when it has ended.
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
