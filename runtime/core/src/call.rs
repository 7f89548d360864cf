use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    time::Duration,
};

use futures_util::TryFutureExt;

use crate::{
    Body, Channel, Codec, Compression, Context, Message, MetadataError, Method, Payload, Response, Service,
    Status, Streaming, body, context::Path, deadline,
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
    pub async fn response(self) -> Result<Response<R>, Status> {
        let Self { channel, method, cx, body, .. } = self;
        let mut cx = cx?;
        cx.path = Path::Static(method.path());
        cx.message_limit = method.message_limit();
        cx.idempotent = method.is_idempotent();
        cx.write_trace();
        if let Some(timeout) = method.default_timeout() {
            cx.shorten_to(timeout);
        }
        if cx.time_left().is_some_and(|left| left.is_zero()) {
            return Err(deadline::exceeded().not_processed());
        }
        let deadline = cx.deadline;
        deadline::bound_call(deadline, method.is_idempotent(), R::receive(&channel, cx, body)).await
    }
}

impl<R: Receive> IntoFuture for Call<R> {
    type Output = Result<R, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.response().map_ok(Response::into_message))
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
        fn receive(
            channel: &Channel,
            cx: Context,
            body: Body,
        ) -> impl Future<Output = Result<Response<Self>, Status>> + Send;
    }

    impl<M: Message> Receive for M {
        async fn receive(channel: &Channel, cx: Context, body: Body) -> Result<Response<M>, Status> {
            match body {
                Body::One(message) => decode(channel.unary(cx, message).await?),
                // Boxed, so that the rare case does not make the usual one's future larger.
                Body::Many(messages) => {
                    Box::pin(async move {
                        let mut response = channel.stream(cx, messages).await?;
                        let message = body::single(&mut response.message).await?;
                        response.trailers = response.message.take_trailers();
                        decode(response.map(|_| message))
                    })
                    .await
                }
            }
        }
    }

    impl<M: Message> Receive for Streaming<M> {
        async fn receive(channel: &Channel, cx: Context, body: Body) -> Result<Response<Self>, Status> {
            let (deadline, idempotent) = (cx.deadline, cx.idempotent);
            let response = channel.stream(cx, body.stream()).await?;
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
