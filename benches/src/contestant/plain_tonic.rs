//! tonic without a framework: what tonic-build writes for this service, written by hand.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tonic::{
    GrpcMethod, Request, Response, Status, async_trait,
    body::Body,
    codegen::{Service, http},
    server::{NamedService, UnaryService},
    transport::Channel,
};
use tonic_prost::ProstCodec;

use super::{Caller, Contestant, Result};
use crate::loopback;

/// Starts a server and connects to it.
///
/// # Errors
/// When the loopback interface cannot be used.
pub async fn start(name: &'static str) -> Result<Contestant> {
    let channel = loopback::tonic(EchoServer(Arc::new(Wall))).await?;
    Ok(Contestant::new(name, EchoClient(tonic::client::Grpc::new(channel))))
}

#[derive(Clone, PartialEq, prost::Message)]
struct Packet {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
}

#[async_trait]
trait Echo: Send + Sync + 'static {
    async fn echo(&self, request: Request<Packet>) -> std::result::Result<Response<Packet>, Status>;
}

struct Wall;

#[async_trait]
impl Echo for Wall {
    async fn echo(&self, request: Request<Packet>) -> std::result::Result<Response<Packet>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

const SERVICE: &str = "plain.v1.Echo";
const METHOD: &str = "/plain.v1.Echo/Echo";

struct EchoServer<T>(Arc<T>);

impl<T> Clone for EchoServer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> NamedService for EchoServer<T> {
    const NAME: &'static str = SERVICE;
}

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = std::result::Result<T, E>> + Send>>;

impl<T: Echo> Service<http::Request<Body>> for EchoServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != METHOD {
            return Box::pin(async { Ok(Status::unimplemented("").into_http()) });
        }
        let method = EchoMethod(self.0.clone());
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
            Ok(grpc.unary(method, request).await)
        })
    }
}

struct EchoMethod<T>(Arc<T>);

impl<T: Echo> UnaryService<Packet> for EchoMethod<T> {
    type Response = Packet;
    type Future = BoxFuture<Response<Packet>, Status>;

    fn call(&mut self, request: Request<Packet>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.echo(request).await })
    }
}

#[derive(Clone)]
struct EchoClient(tonic::client::Grpc<Channel>);

impl EchoClient {
    async fn call(&mut self, packet: Packet) -> std::result::Result<Response<Packet>, Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unknown(format!("the connection is not ready: {error}")))?;
        let path = http::uri::PathAndQuery::from_static(METHOD);
        let mut request = Request::new(packet);
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "Echo"));
        self.0.unary(request, path, ProstCodec::default()).await
    }
}

impl Caller for EchoClient {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(self.call(Packet { payload }).await?.into_inner().payload)
    }
}
