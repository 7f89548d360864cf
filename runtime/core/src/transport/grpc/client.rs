use std::{error::Error, fmt, sync::Arc};

use bytes::BytesMut;
use http::{HeaderValue, Method, Request, Uri, header};
use tokio::sync::oneshot;
use tonic::{body::Body, client::GrpcService};

use super::{
    NAME, compression, head,
    incoming::Incoming,
    metadata,
    outgoing::{Failure, Many, Single, Wanted, put_message},
    status::{self, Untouched},
    timeout,
    transparent_retry::{Attempts, Unsent},
};
use crate::{
    Code, Codec, Compression, Context, Limits, Metadata, Payload, Response, Service, Status, Streaming,
    Truncated,
    encoding::Encoding,
    messages::{self, Messages},
    streaming::ReplayStream,
    trace::System,
    transport::{Departure, Outbound, outbound},
};

/// A gRPC connection with options of its own. A [`tonic::transport::Channel`] without any is a [`Service`]
/// already.
#[derive(Clone)]
pub struct Connection<C> {
    inner: C,
    outbound: Outbound,
    /// Whether the connection takes all the metadata that the limits allow, and servers are told so.
    announces: bool,
    explain: Option<Explain>,
}

/// Adds to a failure of the connection which target it is of, and what it probably comes from.
type Explain = Arc<dyn Fn(Status) -> Status + Send + Sync>;

impl<C> Connection<C> {
    /// Calls over `inner`: a tonic channel, with interceptors and layers around it if you like. Protobuf,
    /// and [`Limits::default`].
    pub fn new(inner: C) -> Self {
        let outbound = Outbound { codec: Codec::Protobuf, limits: Limits::default() };
        Self { inner, outbound, announces: false, explain: None }
    }

    /// Encodes calls that name no codec with this one.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.outbound.codec = codec;
        self
    }

    /// Has this add to failures of the connection what is known of the peer.
    pub(super) fn explained(mut self, explain: impl Fn(Status) -> Status + Send + Sync + 'static) -> Self {
        self.explain = Some(Arc::new(explain));
        self
    }

    /// The limits on what is sent and on answers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.outbound.limits = limits;
        self
    }
}

impl<C> Connection<C> {
    /// Tells servers how much metadata the limits allow, which the connection has to take.
    pub(super) fn announcing(mut self) -> Self {
        self.announces = true;
        self
    }
}

/// What can carry gRPC requests: what tonic's own clients take.
pub trait Http2:
    GrpcService<Body, ResponseBody = Body, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<C: GrpcService<Body, ResponseBody = Body, Future: Send> + Clone + Send + Sync + 'static> Http2 for C {}

impl<C: Http2> Service for Connection<C> {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        outbound::unary((System::Grpc, NAME), cx, |cx| self.call_once(cx, message))
    }

    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        outbound::stream((System::Grpc, NAME), cx, |cx| self.call_many(cx, messages))
    }
}

impl Service for tonic::transport::Channel {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        Connection::new(self.clone()).unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Connection::new(self.clone()).stream(cx, messages).await
    }
}

/// The request without its body, how its messages are written and read, and whether it may be made twice.
struct Head {
    request: Request<()>,
    encoding: Encoding,
    idempotent: bool,
}

struct Answer {
    metadata: Metadata,
    compression: Option<Compression>,
    messages: Answers,
}

impl<C: Http2> Connection<C> {
    async fn call_once(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let Answer { metadata, compression, messages: mut answers } = self.send_one(&cx, message).await?;
        let message = messages::single(&mut answers).await?;
        let trailers = answers.take_trailers();
        Ok(Response { metadata, message, trailers, compression })
    }

    async fn call_many(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let answer = match messages.into_single() {
            Ok(message) => self.send_one(&cx, message).await?,
            Err(messages) => self.send_many(&cx, messages).await?,
        };
        let Answer { metadata, compression, messages: answers } = answer;
        Ok(Response {
            compression,
            ..Response::new(messages::streaming(answers, None)).with_metadata(metadata)
        })
    }

    fn begin(&self, cx: &Context) -> Result<Head, Status> {
        let Departure { encoding, timeout } = self.outbound.depart(cx)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = cx.path().parse::<Uri>().map_err(|_| {
            Status::invalid_argument(format!("{:?} is not a method's path", Truncated(cx.path())))
                .not_processed()
        })?;
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, head::content_type(encoding.codec));
        compression::announce(encoding.compression, headers);
        if let Some(timeout) = timeout
            && let Ok(value) = HeaderValue::from_str(&timeout::format(timeout))
        {
            headers.insert(head::GRPC_TIMEOUT, value);
        }
        if self.announces {
            status::announce(self.outbound.limits.max_metadata_bytes, headers);
        }
        metadata::write(&cx.metadata, headers);
        Ok(Head { request, encoding, idempotent: cx.idempotent })
    }

    /// Makes a call of one message, and again where the connection certainly did not take it.
    async fn send_one(&self, cx: &Context, message: Payload) -> Result<Answer, Status> {
        let mut attempts = Attempts::default();
        loop {
            let head = self.begin(cx)?;
            let mut buffer = BytesMut::new();
            put_message(&mut buffer, &message, &head.encoding)?;
            let failure = Failure::default();
            let call = Some(failure.of_call());
            let body = Body::new(Single { message: Some(buffer.freeze()), trailers: None, call });
            match self.send(head, body, failure).await {
                Err(unsent) if attempts.may_follow(&unsent) => {}
                outcome => return outcome.map_err(Unsent::into_status),
            }
        }
    }

    /// As [`send_one`](Self::send_one), of messages that come as they come: it is made again while the first of them
    /// are at hand.
    async fn send_many(&self, cx: &Context, messages: Streaming<Payload>) -> Result<Answer, Status> {
        let mut attempts = Attempts::default();
        let (mut messages, lent) = ReplayStream::keep(messages);
        loop {
            let failure = Failure::default();
            let (wanted, unwanted) = oneshot::channel();
            let head = self.begin(cx)?;
            let body = Body::new(Many::request(messages, head.encoding.clone(), failure.clone(), unwanted));
            let unsent = match self.send(head, body, failure.clone()).await {
                Ok(mut answer) => {
                    answer.messages._wanted = Some(wanted);
                    return Ok(answer);
                }
                Err(unsent) => unsent,
            };
            let again = if attempts.may_follow(&unsent) { lent.again() } else { None };
            match again {
                Some(again) => messages = again,
                None => return Err(failure.explain(unsent.into_status())),
            }
        }
    }

    async fn send(&self, head: Head, body: Body, failure: Failure) -> Result<Answer, Unsent> {
        let mut inner = self.inner.clone();
        std::future::poll_fn(|task| inner.poll_ready(task))
            .await
            .map_err(|error| Unsent::Failed(self.failed(error).not_processed()))?;
        let Head { request, encoding, idempotent } = head;
        let response = inner.call(request.map(|()| body)).await.map_err(|error| {
            let error = error.into();
            let untouched = status::untouched(&*error);
            let status = self.failed(error);
            match untouched {
                Some(Untouched::Unsent) => Unsent::Waiting(status),
                Some(Untouched::Refused) => Unsent::Refused(status),
                None => Unsent::Failed(status.maybe_executed(idempotent)),
            }
        })?;
        let answer = self.answer(response, encoding.limit, failure);
        let mut answer = answer.map_err(Unsent::Failed)?;
        answer.messages.idempotent = idempotent;
        Ok(answer)
    }

    /// The connection failed so.
    fn failed(&self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
        explained(self.explain.as_ref(), status::from_connection(error))
    }

    /// What has begun to be answered.
    fn answer(
        &self,
        response: http::Response<Body>,
        limit: usize,
        failure: Failure,
    ) -> Result<Answer, Status> {
        let (parts, body) = response.into_parts();
        let outcome = status::read(&parts.headers);
        if let Some(Err(status)) = outcome {
            return Err(failure.explain(status::as_said(status, &parts.headers)));
        }
        if parts.status != http::StatusCode::OK {
            return Err(status::as_said(status::from_http(parts.status), &parts.headers));
        }
        let Some(Ok(codec)) = head::codec(&parts.headers) else {
            return Err(Status::unknown("the peer's answer is not gRPC: its content type is another"));
        };
        let metadata = metadata::read(&parts.headers)?;
        self.outbound.limits.check_metadata(&metadata)?;
        let compression = compression::announced(&parts.headers).map_err(unaccepted)?;
        let incoming = Incoming::new(body, codec, compression, limit, &self.outbound.limits);
        let (limits, explain) = (self.outbound.limits.clone(), self.explain.clone());
        let messages = Answers {
            incoming,
            outcome,
            trailers: Metadata::new(),
            failure,
            limits,
            explain,
            idempotent: false,
            _wanted: None,
        };
        Ok(Answer { metadata, compression, messages })
    }
}

fn explained(explain: Option<&Explain>, status: Status) -> Status {
    match explain {
        Some(explain) => explain(status),
        None => status,
    }
}

/// An answer that is compressed as no answer should be is the server's mistake. Source:
/// [Compression](https://github.com/grpc/grpc/blob/master/doc/compression.md).
fn unaccepted(status: Status) -> Status {
    Status::new(Code::Internal, status.message().to_owned())
}

/// The messages of an answer, and how it ended. Dropped before its end, it cancels the call.
struct Answers {
    incoming: Incoming,
    /// Where the headers alone ended the call.
    outcome: Option<Result<Metadata, Status>>,
    trailers: Metadata,
    failure: Failure,
    limits: Limits,
    /// Whether the call may be made twice.
    idempotent: bool,
    explain: Option<Explain>,
    /// Dropped, it breaks off requests that are still being sent: HTTP/2 would keep the stream for them.
    _wanted: Option<Wanted>,
}

impl Answers {
    fn outcome(&mut self) -> Result<Metadata, Status> {
        let trailers = self.incoming.take_trailers();
        let outcome = trailers.as_ref().and_then(status::read).or_else(|| self.outcome.take());
        let outcome = outcome.unwrap_or_else(|| Err(Status::internal("the answer ended without a status")));
        let trailers = outcome.map_err(|status| self.failure.explain(status))?;
        self.limits.check_metadata(&trailers)?;
        Ok(trailers)
    }
}

impl Messages for Answers {
    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        match self.incoming.next().await {
            Ok(Some(message)) => Ok(Some(message)),
            Ok(None) => {
                self.trailers = self.outcome()?;
                Ok(None)
            }
            Err(status) => {
                let status = explained(self.explain.as_ref(), status);
                Err(self.failure.explain(status.maybe_executed(self.idempotent)))
            }
        }
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.trailers)
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("codec", &self.outbound.codec).finish_non_exhaustive()
    }
}
