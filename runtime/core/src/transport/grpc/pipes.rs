use std::{
    convert::Infallible,
    io,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use ::http::{Request, Response};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

use super::{
    Adapter,
    bound::{adapter, max_header_bytes},
};
use crate::{
    Caller, Channel, Drain, Limits,
    transport::{
        Serving,
        net::{Http2, ListenerOptions},
    },
};

/// gRPC over pipes of bytes that another transport has accepted: the same calls, limits and drain as over TCP, made by the
/// caller that the other transport knows.
#[derive(Clone)]
pub(crate) struct Pipes {
    adapter: Adapter<Channel>,
    options: ListenerOptions,
    drain: Drain,
}

impl Pipes {
    /// Serves with this, each call within the limits, and so many at once on a connection.
    pub(crate) fn new(serving: &Serving, limits: &Limits, max_concurrent_streams: u32) -> Self {
        let options = ListenerOptions {
            max_concurrent_streams,
            max_header_bytes: max_header_bytes(limits),
            ..ListenerOptions::default()
        };
        Self { adapter: adapter(serving, limits.clone()), options, drain: serving.drain.clone() }
    }

    /// Reads what a client of HTTP/2 says first, and returns the future that serves it.
    ///
    /// # Errors
    /// The pipe breaks, ends, or begins with something else.
    pub(crate) async fn accept<Io>(self, io: Io, caller: Caller) -> io::Result<BoxFuture<'static, ()>>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let remote = caller.address.clone().unwrap_or_default();
        let service = CalledBy { adapter: self.adapter, caller: Arc::new(caller) };
        let serving = Http2::new(&self.options, service).accept(io, remote, self.drain).await?;
        Ok(Box::pin(serving))
    }
}

/// Tells the adapter who calls.
#[derive(Clone)]
struct CalledBy {
    adapter: Adapter<Channel>,
    caller: Arc<Caller>,
}

impl tower::Service<Request<Incoming>> for CalledBy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Adapter<Channel> as tower::Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.caller.clone());
        self.adapter.call(request)
    }
}
