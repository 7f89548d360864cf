//! Whole listeners, in memory and paused time where no socket is needed.

mod drains;
mod encrypted;
#[cfg(feature = "grpc")]
mod identities;
mod limits;
mod openings;
mod raw;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tower::Service;

use super::accept::{Accept, Accepted};
use super::http1::Http1;
use super::http2::Http2;
use super::serve::serve;
use super::{HttpService, ListenerOptions};
use crate::Drain;
use crate::transport::ConnectionGauge;

/// A closure as a service.
#[derive(Clone)]
struct Answering<F>(F);

impl<F, A, B> Service<Request<Incoming>> for Answering<F>
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<B>> + Send + 'static,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let answer = (self.0)(request);
        Box::pin(async { Ok(answer.await) })
    }
}

/// Answers `hello` to everything.
fn hello() -> impl HttpService {
    Answering(async |_| Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// Hands out in-memory connections.
struct Dialled(mpsc::UnboundedReceiver<DuplexStream>);

impl Accept for Dialled {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<Accepted<DuplexStream>> {
        let Some(io) = self.0.recv().await else { std::future::pending().await };
        let address = SocketAddr::from(([127, 0, 0, 1], 7));
        Ok(Accepted { io, remote: address, local: address })
    }
}

/// A listener in memory.
struct Served {
    dial: mpsc::UnboundedSender<DuplexStream>,
    open: Arc<Open>,
    drain: Drain,
    serving: JoinHandle<()>,
}

/// How many connections are open.
struct Open(watch::Sender<usize>);

impl ConnectionGauge for Open {
    fn opened(&self) {
        self.0.send_modify(|open| *open += 1);
    }

    fn closed(&self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Served {
    fn http2(options: ListenerOptions, service: impl HttpService) -> Self {
        Self::start(options, async move |source, options, drain| {
            serve(source, &options, Http2::new(&options, service), &drain, None).await;
        })
    }

    fn http1(options: ListenerOptions, service: impl HttpService) -> Self {
        Self::start(options, async move |source, options, drain| {
            serve(source, &options, Http1::new(&options, service), &drain, None).await;
        })
    }

    fn start<F, A>(options: ListenerOptions, serve: F) -> Self
    where
        F: FnOnce(Dialled, ListenerOptions, Drain) -> A,
        A: Future<Output = ()> + Send + 'static,
    {
        let (dial, source) = mpsc::unbounded_channel();
        let open = Arc::new(Open(watch::Sender::new(0)));
        let drain = Drain::new();
        let options = ListenerOptions { gauge: Some(open.clone()), ..options };
        let serving = tokio::spawn(serve(Dialled(source), options, drain.clone()));
        Self { dial, open, drain, serving }
    }

    /// A connection whose two directions hold so many bytes that were not read.
    fn connect(&self, buffer: usize) -> DuplexStream {
        let (client, server) = duplex(buffer);
        self.dial.send(server).expect("the listener is open");
        client
    }

    /// Waits until so many connections are open.
    async fn opened(&self, count: usize) {
        self.open.0.subscribe().wait_for(|open| *open == count).await.expect("the gauge lives");
    }
}
