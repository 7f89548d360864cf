use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tonic::{body::Body, server::NamedService};

use super::{
    NAME, compression, head,
    incoming::Incoming,
    metadata,
    outgoing::{Many, Single, put_message},
    peer::caller_of,
    status,
};
use crate::{
    Caller, Channel, Code, Codec, Compression, Context, Limits, Metadata, Payload, Router, Server, Service,
    Status, Streaming, deadline,
    encoding::ResponseEncoding,
    layer::{Layered, TowerService},
    messages,
    observer::CallObserver,
    panic,
    server::{Defined, Dispatch},
    trace::System,
    transport::{Admitted, Arrival, Inbound, check_metadata_weight, refused},
};

/// A service as gRPC over HTTP/2: a tower service for a tonic `Server`, its `Routes`, axum, or anything else
/// that serves HTTP/2.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// // For `tonic::transport::Server::add_service`, beside any other service.
/// fn named(_: &(impl tower::Service<http::Request<tonic::body::Body>> + tonic::server::NamedService)) {}
/// named(&DemoServer::new(Imp).into_grpc());
/// ```
#[derive(Debug)]
pub struct Adapter<S> {
    inbound: Inbound<S>,
}

impl<S: Service> Adapter<S> {
    /// Adapts the service, with [`Limits::default`].
    pub fn new(service: S) -> Self {
        Self { inbound: Inbound::new(service) }
    }

    /// The same adapter with these limits on each call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.inbound.limits = limits;
        self
    }
}

impl From<Inbound> for Adapter<Channel> {
    fn from(inbound: Inbound) -> Self {
        Self { inbound }
    }
}

impl<S> Clone for Adapter<S> {
    fn clone(&self) -> Self {
        Self { inbound: self.inbound.clone() }
    }
}

impl<D: Dispatch<T>, T: Send + Sync + 'static> Server<D, T> {
    /// The service as gRPC, for a tonic `Server` or anything else that serves HTTP/2.
    pub fn into_grpc(self) -> Adapter<Self> {
        Adapter::new(self)
    }
}

impl Router {
    /// The services as gRPC, for anything that serves HTTP/2.
    pub fn into_grpc(self) -> Adapter<Self> {
        Adapter::new(self)
    }
}

impl Channel {
    /// The service as gRPC, for anything that serves HTTP/2.
    pub fn into_grpc(self) -> Adapter<Self> {
        Adapter::new(self)
    }
}

impl<T: TowerService, S: Service> Layered<T, S> {
    /// The service as gRPC, for a tonic `Server` or anything else that serves HTTP/2.
    pub fn into_grpc(self) -> Adapter<Self> {
        Adapter::new(self)
    }
}

impl<S: Defined> NamedService for Adapter<S> {
    const NAME: &'static str = S::SERVICE.name();
}

impl<S, B> tower::Service<Request<B>> for Adapter<S>
where
    S: Service,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request.map(Body::new)).await) })
    }
}

impl<S: Service> Adapter<S> {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        if request.method() != Method::POST {
            let allowed = [(header::ALLOW, HeaderValue::from_static("POST"))];
            return refuse(StatusCode::METHOD_NOT_ALLOWED, allowed);
        }
        let timeout = head::timeout(request.headers());
        let deadline = timeout.ok().flatten().and_then(deadline_here);
        let transport = request.extensions().get::<Arc<Caller>>().map_or(NAME, |caller| caller.transport);
        let mut arrival = self.inbound.arrive(transport, request.uri().path().as_bytes(), deadline);
        let room = status::room(self.inbound.limits.max_metadata_bytes, request.headers());
        let codec = match head::codec(request.headers()) {
            Some(Ok(codec)) => codec,
            Some(Err(name)) => {
                let name: String = name.chars().take(32).collect();
                let refusal = format!("codec {name:?} is not known; expected `proto` or `msgpack`");
                let refusal = Status::codec_refused(refusal, &Codec::ALL);
                return fail(Codec::Protobuf, &refusal, room, &mut arrival);
            }
            None => {
                // What the answer's HTTP status means to a client of gRPC.
                arrival.end(Code::Unknown);
                let accepted = HeaderValue::from_static(
                    "application/grpc, application/grpc+proto, application/grpc+msgpack",
                );
                let name = header::HeaderName::from_static("accept-post");
                return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, [(name, accepted)]);
            }
        };
        match self.call(request, codec, room, &mut arrival).await {
            Ok(response) => response,
            Err(status) => fail(codec, &status, room, &mut arrival),
        }
    }

    async fn call(
        self,
        request: Request<Body>,
        codec: Codec,
        room: usize,
        arrival: &mut Arrival,
    ) -> Result<Response<Body>, Status> {
        let call = self.admit(&request, codec, arrival)?;
        let answers = call.answers(codec, compression::accepted(request.headers()));
        let limits = &self.inbound.limits;
        let incoming = Incoming::new(request.into_body(), codec, call.compression(), call.limit, limits);
        if call.unary {
            return call.run(|cx| self.call_once(cx, incoming, answers, room, arrival)).await;
        }
        let counter = call.counter();
        let response = call.open(|cx| self.call_many(cx, incoming, counter, room)).await?;
        let encoding = answers.encoding(response.compression);
        let crate::Response { metadata, message, .. } = response;
        let body = Many::answer(message, encoding.clone(), room, std::mem::take(arrival));
        Ok(respond(encoding.codec, encoding.compression, &metadata, |_| Body::new(body)))
    }

    async fn call_once(
        &self,
        cx: Context,
        mut incoming: Incoming,
        answers: ResponseEncoding,
        room: usize,
        arrival: &mut Arrival,
    ) -> Result<Response<Body>, Status> {
        let message = self.inbound.receive(cx.deadline, &mut incoming, answers.counter.as_deref()).await?;
        let response = self.inbound.unary(cx, message).await?;
        check_metadata_weight(metadata::weight(&response.metadata), room)?;
        let mut buffer = BytesMut::new();
        let encoding = answers.encoding(response.compression);
        put_message(&mut buffer, &response.message, &encoding)?;
        let trailers = status::trailers(Ok(&response.trailers), room);
        arrival.end(status::code(&trailers));
        let body = Single { message: Some(buffer.freeze()), trailers: Some(trailers), call: None };
        Ok(respond(encoding.codec, encoding.compression, &response.metadata, |_| Body::new(body)))
    }

    async fn call_many(
        &self,
        cx: Context,
        incoming: Incoming,
        counter: Option<Arc<dyn CallObserver>>,
        room: usize,
    ) -> Result<crate::Response<Streaming<Payload>>, Status> {
        let (deadline, path) = (cx.deadline, cx.path.clone());
        let response = self.inbound.stream(cx, messages::streaming(incoming, counter)).await?;
        check_metadata_weight(metadata::weight(&response.metadata), room)?;
        let watched = |messages| panic::guard_stream(path, deadline::watched_stream(deadline, messages));
        Ok(response.map(watched))
    }

    fn admit(&self, request: &Request<Body>, codec: Codec, arrival: &Arrival) -> Result<Admitted, Status> {
        let caller = caller_of(request.extensions());
        let cx = context(request, codec, caller.clone())
            .map_err(|status| refused(Some(request.uri().path()), Some(&caller), status))?;
        self.inbound.admit(System::Grpc, arrival, cx, false)
    }
}

/// The context that the head of a request says.
fn context(request: &Request<Body>, codec: Codec, caller: Arc<Caller>) -> Result<Context, Status> {
    let headers = request.headers();
    head::timeout(headers).map_err(|()| Status::internal("the header grpc-timeout is malformed"))?;
    let path = Bytes::copy_from_slice(request.uri().path().as_bytes());
    let mut cx = Context::incoming(path, caller)?;
    cx.metadata = metadata::read(headers)?;
    cx.codec = Some(codec);
    cx.compression = compression::announced(headers)?;
    Ok(cx)
}

/// When a call with this timeout ends here.
fn deadline_here(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout - AHEAD.min(timeout / 10))
}

/// How much earlier than the caller's timeout a call ends here. A tonic `Server` around this service keeps
/// the same deadline, with the wrong code (`CANCELLED`); this one has to come first.
const AHEAD: Duration = Duration::from_millis(2);

fn respond(
    codec: Codec,
    compression: Option<Compression>,
    metadata: &Metadata,
    body: impl FnOnce(&mut http::HeaderMap) -> Body,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, head::content_type(codec));
    compression::announce(compression, headers);
    metadata::write(metadata, headers);
    let body = body(headers);
    *response.body_mut() = body;
    response
}

/// The answer to a call that fails before its first message: told in the headers alone.
fn fail(codec: Codec, status: &Status, room: usize, arrival: &mut Arrival) -> Response<Body> {
    arrival.end(status.code());
    respond(codec, None, &Metadata::new(), |headers| {
        headers.extend(status::refusal(status, room));
        Body::empty()
    })
}

/// An answer to what is not gRPC.
fn refuse(status: StatusCode, headers: [(header::HeaderName, HeaderValue); 1]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().extend(headers.map(|(name, value)| (Some(name), value)));
    status::mark(response.headers_mut());
    response
}
