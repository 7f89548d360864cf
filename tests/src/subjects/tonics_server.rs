use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::Stream;
use polywire::{
    Codec, ConnectOptions, Drain, Limits, Status, config,
    grpc::{self, Grpc},
    transport::{BindContext, BindError, Bound, Connected, ConnectionGauge, Scheme, Serving, Transport},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tonic::service::Routes;

use super::guarded;

/// gRPC by a plain tonic `Server`.
#[derive(Clone, Copy, Debug)]
pub struct TonicsServer;

/// Where a tonic `Server` is to listen.
#[derive(Debug)]
pub struct TonicsServerBound {
    listener: TcpListener,
    address: SocketAddr,
    config: config::Grpc,
}

impl Transport for TonicsServer {
    type Config = config::Grpc;
    type Address = grpc::Address;
    type Bound = TonicsServerBound;

    fn name(&self) -> &'static str {
        Grpc.name()
    }

    fn schemes(&self) -> &'static [Scheme] {
        Grpc.schemes()
    }

    fn codec(&self) -> Codec {
        Grpc.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<grpc::Address, String> {
        Grpc.parse(scheme, rest)
    }

    async fn connect(&self, address: grpc::Address, options: ConnectOptions) -> Result<Connected, Status> {
        Grpc.connect(address, options).await
    }

    async fn bind(&self, config: config::Grpc, _: BindContext) -> Result<TonicsServerBound, BindError> {
        let refused = |error| BindError::listen("bind_address", config.bind_address, error);
        let listener = TcpListener::bind(config.bind_address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(TonicsServerBound { listener, address, config })
    }
}

impl Bound for TonicsServerBound {
    fn target(&self) -> String {
        format!("grpc://{}", self.address)
    }

    async fn serve(self, serving: Serving) {
        let Self { listener, config, .. } = self;
        let Serving { service, drain, connections, access, .. } = serving;
        let service = guarded(service, access);
        let limits = Limits {
            max_message_bytes: config.max_message_size,
            message_timeout: config.message_timeout,
            ..Limits::default()
        };
        let adapter = grpc::Adapter::new(service).limits(limits);
        let routes = Routes::from(Routes::default().into_axum_router().fallback_service(adapter));
        let server = tonic::transport::Server::builder()
            .max_concurrent_streams(config.max_concurrent_streams)
            // The adapter counts the metadata itself; hyper's own 16 KiB leave no room beside that limit.
            .http2_max_header_list_size(HEADERS)
            .add_routes(routes);
        let (alive, gone) = watch::channel(());
        let door = Door { listener, drain: drain.clone(), gauge: connections, gone };
        let stop = drain.clone();
        let served =
            server.serve_with_incoming_shutdown(door.incoming(), async move { stop.stopping().await });
        tokio::select! {
            served = served => served.expect("tonic serves"),
            () = drain.cutting() => {}
        }
        // Tonic's connections are tasks of their own, which learn of the end by this.
        drop(alive);
    }
}

/// The most that the headers of a request may weigh, in bytes.
const HEADERS: u32 = 128 << 10;

/// Accepts until the drain begins.
struct Door {
    listener: TcpListener,
    drain: Drain,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    gone: watch::Receiver<()>,
}

impl Door {
    fn incoming(self) -> impl Stream<Item = io::Result<Tapped>> {
        futures_util::stream::unfold(self, async |door| {
            tokio::select! {
                accepted = door.listener.accept() => {
                    Some((accepted.map(|(stream, _)| door.tapped(stream)), door))
                }
                () = door.drain.stopping() => None,
            }
        })
    }

    fn tapped(&self, stream: TcpStream) -> Tapped {
        if let Some(gauge) = &self.gauge {
            gauge.opened();
        }
        let (drain, mut gone) = (self.drain.clone(), self.gone.clone());
        let end = async move {
            tokio::select! {
                () = drain.cutting() => {}
                // Nothing is ever sent, so this is the end of the sender.
                _ = gone.changed() => {}
            }
        };
        Tapped { stream, gauge: self.gauge.clone(), end: Some(Box::pin(end)) }
    }
}

/// A connection that is counted, and that ends with its server.
struct Tapped {
    stream: TcpStream,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tapped").field(&self.stream).finish()
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.closed();
        }
    }
}

impl tonic::transport::server::Connected for Tapped {
    type ConnectInfo = tonic::transport::server::TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().is_none_or(|end| end.as_mut().poll(task).is_ready()) {
            self.end = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
