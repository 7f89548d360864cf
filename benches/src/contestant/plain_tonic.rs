//! tonic without a framework: what tonic-build writes for this service, written by hand.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::{
    GrpcMethod, Request, Response, Status, async_trait,
    body::Body,
    codegen::{Service, http},
    server::{NamedService, ServerStreamingService, UnaryService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig},
};
use tonic_prost::ProstCodec;

use super::{Caller, Result, Stack};
use crate::{
    pattern::{Check, Script},
    pki::{HOST, Pki},
};

/// How many calls a connection may have under way, as polywire's default is. tonic's own is none, and then h2
/// takes thousands of small messages at once for a flood and closes the connection.
const STREAMS: u32 = 1000;

/// A server on any free port, and how to connect to it.
#[derive(Clone)]
pub(super) struct PlainTonic {
    endpoint: Endpoint,
}

impl PlainTonic {
    /// Starts the server, over TLS where there are certificates, with tonic's own settings at both ends but
    /// for the limit on streams.
    pub(super) fn start(pki: Option<&Pki>) -> Result<Self> {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
        let port = incoming.local_addr()?.port();
        let mut server = Server::builder().max_concurrent_streams(Some(STREAMS));
        let scheme = if pki.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://127.0.0.1:{port}"))?;
        if let Some(pki) = pki {
            let identity = Identity::from_pem(&pki.certificate().pem, &pki.key().pem);
            server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
            let authority = Certificate::from_pem(&pki.authority().pem);
            endpoint =
                endpoint.tls_config(ClientTlsConfig::new().domain_name(HOST).ca_certificate(authority))?;
        }
        let routes = server.add_service(EchoServer(Arc::new(Wall)));
        tokio::spawn(routes.serve_with_incoming(incoming));
        Ok(Self { endpoint })
    }
}

impl Stack for PlainTonic {
    type Caller = EchoClient;

    async fn connect(&self) -> Result<EchoClient> {
        Ok(EchoClient(tonic::client::Grpc::new(self.endpoint.connect().await?)))
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Packet {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
}

type Packets = BoxStream<'static, std::result::Result<Packet, Status>>;

#[async_trait]
trait Echo: Send + Sync + 'static {
    async fn echo(&self, request: Request<Packet>) -> std::result::Result<Response<Packet>, Status>;
    async fn subscribe(&self, request: Request<Script>) -> std::result::Result<Response<Packets>, Status>;
}

struct Wall;

#[async_trait]
impl Echo for Wall {
    async fn echo(&self, request: Request<Packet>) -> std::result::Result<Response<Packet>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn subscribe(&self, request: Request<Script>) -> std::result::Result<Response<Packets>, Status> {
        let packets = request.into_inner().messages().map(|payload| Ok(Packet { payload }));
        Ok(Response::new(stream::iter(packets).boxed()))
    }
}

const SERVICE: &str = "plain.v1.Echo";
const ECHO: &str = "/plain.v1.Echo/Echo";
const SUBSCRIBE: &str = "/plain.v1.Echo/Subscribe";

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
        match request.uri().path() {
            ECHO => {
                let method = EchoMethod(self.0.clone());
                Box::pin(async move {
                    let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
                    Ok(grpc.unary(method, request).await)
                })
            }
            SUBSCRIBE => {
                let method = SubscribeMethod(self.0.clone());
                Box::pin(async move {
                    let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
                    Ok(grpc.server_streaming(method, request).await)
                })
            }
            _ => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
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

struct SubscribeMethod<T>(Arc<T>);

impl<T: Echo> ServerStreamingService<Script> for SubscribeMethod<T> {
    type Response = Packet;
    type ResponseStream = Packets;
    type Future = BoxFuture<Response<Packets>, Status>;

    fn call(&mut self, request: Request<Script>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.subscribe(request).await })
    }
}

#[derive(Clone)]
pub(super) struct EchoClient(tonic::client::Grpc<Channel>);

impl EchoClient {
    async fn ready(&mut self) -> std::result::Result<(), Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unknown(format!("the connection is not ready: {error}")))
    }
}

fn request<T>(message: T, method: &'static str) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(GrpcMethod::new(SERVICE, method));
    request
}

impl Caller for EchoClient {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(ECHO);
        let request = request(Packet { payload }, "Echo");
        let response: Response<Packet> = self.0.unary(request, path, ProstCodec::default()).await?;
        Ok(response.into_inner().payload)
    }

    async fn subscribe(&mut self, script: Script, check: &mut Check) -> Result<()> {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(SUBSCRIBE);
        let request = request(script, "Subscribe");
        let response = self.0.server_streaming(request, path, ProstCodec::default()).await?;
        let mut packets: tonic::Streaming<Packet> = response.into_inner();
        while let Some(packet) = packets.message().await? {
            check.message(&packet.payload)?;
        }
        Ok(())
    }
}
