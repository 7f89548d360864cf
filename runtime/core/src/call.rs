use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    Body, Channel, Codec, Compression, Context, Message, MetadataError, Method, Payload, Response, Status,
    Streaming, context::Path, deadline, messages,
};

/// A call to make. Set options on it, then await it.
///
/// `R` is the response: a message, or a [`Streaming`] of them. Awaiting the call gives the message alone;
/// [`response`](Self::response) gives the metadata too.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # async fn show(client: DemoClient) -> Result<(), polywire::Status> {
/// use std::time::Duration;
///
/// let answer = client.get(Empty {}).timeout(Duration::from_secs(1)).metadata("tenant", "blue").await?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// Dropping the future, or the stream that it returned, cancels the call: the server drops its handler's future.
#[must_use = "a call is made by awaiting it"]
pub struct Call<R> {
    channel: Channel,
    method: &'static Method,
    cx: Result<Context, Status>,
    body: Body,
    response: PhantomData<fn() -> R>,
}

impl<R> Call<R> {
    /// Creates a call. Generated clients use this.
    pub fn new(channel: &Channel, method: &'static Method, body: Body) -> Self {
        Self { channel: channel.clone(), method, cx: Ok(Context::new()), body, response: PhantomData }
    }

    /// Makes the call part of this context. A context of the caller's own adds its metadata, codec, compression and
    /// deadline; the context of a call being handled adds its deadline and trace alone. Options set before stay, the earlier
    /// deadline applies, and extensions are not copied.
    pub fn context(mut self, cx: &Context) -> Self {
        if let Ok(own) = &mut self.cx {
            own.join(cx);
        }
        self
    }

    /// Sets a deadline relative to now, which applies here and at the server. The call then fails with
    /// `DeadlineExceeded`. An earlier deadline stays.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|cx| Ok(cx.with_timeout(timeout)))
    }

    /// Adds an ASCII metadata entry. A malformed one fails the call with `InvalidArgument` before
    /// anything is sent.
    pub fn metadata(self, key: &str, value: impl Into<String>) -> Self {
        self.change(|cx| cx.with_metadata(key, value).map_err(invalid))
    }

    /// Adds a binary metadata entry under a key that ends in `-bin`. A malformed key fails the call with
    /// `InvalidArgument` before anything is sent.
    pub fn metadata_bin(self, key: &str, value: impl Into<bytes::Bytes>) -> Self {
        self.change(|mut cx| {
            cx.metadata_mut().append_bin(key, value).map_err(invalid)?;
            Ok(cx)
        })
    }

    /// Encodes the messages with this codec instead of the transport's own choice.
    pub fn codec(self, codec: Codec) -> Self {
        self.change(|cx| Ok(cx.with_codec(codec)))
    }

    /// Compresses the requests. A server without this compression fails the call with `Unimplemented`; a client without it
    /// does so before anything is sent. The server chooses the compression of responses.
    pub fn compression(self, compression: Compression) -> Self {
        self.change(|cx| Ok(cx.with_compression(compression)))
    }

    fn change(mut self, change: impl FnOnce(Context) -> Result<Context, Status>) -> Self {
        self.cx = self.cx.and_then(change);
        self
    }
}

impl<R: Receive> Call<R> {
    /// Makes the call and returns the response with its metadata.
    ///
    /// # Errors
    /// The status of the failed call, from the server or from this side.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, as the type says.
    pub fn response(self) -> ResponseFuture<R> {
        ResponseFuture(Progress::Made(self))
    }

    /// Hands the call to its channel.
    fn send(self) -> Result<Sent<R>, Status> {
        let Self { channel, method, cx, body, .. } = self;
        let mut cx = cx?;
        cx.path = Path::Static(method.path());
        cx.message_limit = method.message_limit();
        cx.idempotent = method.is_idempotent();
        cx.method = Some(method);
        cx.write_trace();
        if let Some(timeout) = method.default_timeout() {
            cx.shorten_to(timeout);
        }
        if cx.time_left().is_some_and(|left| left.is_zero()) {
            return Err(deadline::exceeded().not_processed());
        }
        let (deadline, idempotent) = (cx.deadline, cx.idempotent);
        let response = deadline::bound_call(deadline, idempotent, R::send(&channel, cx, body));
        Ok(Sent { response, deadline, idempotent })
    }
}

impl<R: Receive> IntoFuture for Call<R> {
    type Output = Result<R, Status>;
    type IntoFuture = CallFuture<R>;

    fn into_future(self) -> Self::IntoFuture {
        CallFuture(self.response())
    }
}

/// A call under way: the future of [`Call::response`].
///
/// # Cancel safety
/// Dropping it cancels the call.
#[must_use = "a call is made by awaiting it"]
#[derive(Debug)]
pub struct ResponseFuture<R: Receive>(Progress<R>);

#[derive(Debug)]
enum Progress<R: Receive> {
    /// Until the first poll.
    Made(Call<R>),
    Sent(Sent<R>),
    Ended,
}

/// A call that its channel has.
struct Sent<R: Receive> {
    response: deadline::Bound<BoxFuture<'static, Result<Response<R::Raw>, Status>>>,
    deadline: Option<Instant>,
    idempotent: bool,
}

// Nothing in it is pinned: the channel's future has a box of its own.
impl<R: Receive> Unpin for ResponseFuture<R> {}

impl<R: Receive> Future for ResponseFuture<R> {
    type Output = Result<Response<R>, Status>;

    /// # Panics
    /// If it is polled after it has returned its outcome.
    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut sent = match std::mem::replace(&mut self.0, Progress::Ended) {
            Progress::Made(call) => call.send()?,
            Progress::Sent(sent) => sent,
            Progress::Ended => panic!("a call was polled after its end"),
        };
        let Poll::Ready(response) = Pin::new(&mut sent.response).poll(task) else {
            self.0 = Progress::Sent(sent);
            return Poll::Pending;
        };
        Poll::Ready(response.and_then(|response| R::receive(response, sent.deadline, sent.idempotent)))
    }
}

/// A call under way: what awaiting a [`Call`] awaits. Its outcome is the message alone.
///
/// # Cancel safety
/// Dropping it cancels the call.
#[must_use = "a call is made by awaiting it"]
#[derive(Debug)]
pub struct CallFuture<R: Receive>(ResponseFuture<R>);

impl<R: Receive> Future for CallFuture<R> {
    type Output = Result<R, Status>;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(task).map_ok(Response::into_message)
    }
}

impl<R: Receive> fmt::Debug for Sent<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", &self.method.path()).field("context", &self.cx).finish()
    }
}

fn invalid(error: MetadataError) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The response of a call: a message or a stream of messages. Sealed.
pub trait Receive: Sized + Send + 'static + sealed::Receive {}

impl<R: sealed::Receive + Send + 'static> Receive for R {}

mod sealed {
    use super::*;

    pub trait Receive: Sized {
        /// What a channel returns.
        type Raw;

        fn send(
            channel: &Channel,
            cx: Context,
            body: Body,
        ) -> BoxFuture<'static, Result<Response<Self::Raw>, Status>>;

        fn receive(
            response: Response<Self::Raw>,
            deadline: Option<Instant>,
            idempotent: bool,
        ) -> Result<Response<Self>, Status>;
    }

    impl<M: Message> Receive for M {
        type Raw = Payload;

        fn send(
            channel: &Channel,
            cx: Context,
            body: Body,
        ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
            match body {
                Body::One(message) => channel.call(cx, message),
                Body::Many(messages) => {
                    let response = channel.open(cx, messages);
                    Box::pin(async move {
                        let mut response = response.await?;
                        let message = messages::single(&mut response.message).await?;
                        response.trailers = response.message.take_trailers();
                        Ok(response.map(|_| message))
                    })
                }
            }
        }

        fn receive(response: Response<Payload>, _: Option<Instant>, _: bool) -> Result<Response<M>, Status> {
            decode(response)
        }
    }

    impl<M: Message> Receive for Streaming<M> {
        type Raw = Streaming<Payload>;

        fn send(
            channel: &Channel,
            cx: Context,
            body: Body,
        ) -> BoxFuture<'static, Result<Response<Streaming<Payload>>, Status>> {
            channel.open(cx, body.stream())
        }

        fn receive(
            response: Response<Streaming<Payload>>,
            deadline: Option<Instant>,
            idempotent: bool,
        ) -> Result<Response<Self>, Status> {
            let compression = response.compression;
            Ok(response.map(|answers| {
                let answers = deadline::bound_answers(deadline, idempotent, answers);
                answers.into_messages().received_with(compression)
            }))
        }
    }
}

fn decode<M: Message>(response: Response<Payload>) -> Result<Response<M>, Status> {
    let Response { metadata, message, trailers, compression } = response;
    let compression = compression.filter(|_| !message.is_uncompressed());
    Ok(Response { metadata, message: message.decode()?, trailers, compression })
}
