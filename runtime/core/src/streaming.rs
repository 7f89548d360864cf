mod replay;
mod source;

use std::{
    fmt,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::mpsc;

pub(crate) use replay::ReplayStream;
use source::Holding;
use source::{Choosing, Events, FromChannel, Map, Mapped, WithTrailers};
pub(crate) use source::{Event, Source};

use crate::{Compression, Message, Metadata, Payload, Status};

/// A stream of messages. The type is the same in both directions, for handlers and clients.
///
/// It wraps any `Stream` of `Result<T, Status>` in one box. It is fused: after the end or an error it yields nothing more.
/// Dropping it cancels the call at the other end.
///
/// ```
/// use polywire::Streaming;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut numbers = Streaming::from_iter([1, 2]);
/// assert_eq!(numbers.message().await.unwrap(), Some(1));
/// assert_eq!(numbers.message().await.unwrap(), Some(2));
/// assert_eq!(numbers.message().await.unwrap(), None);
/// # });
/// ```
pub struct Streaming<T> {
    source: StreamState<T>,
    trailers: Metadata,
    /// The compression of received messages, except uncompressed ones.
    compression: Option<Compression>,
    /// Whether the last message is uncompressed, if there is no source that knows.
    plain: bool,
}

enum StreamState<T> {
    Once(T),
    Flowing(Pin<Box<dyn Source<T>>>),
    Ended,
}

impl<T> Streaming<T> {
    /// Creates a stream from any other.
    pub fn new(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        Self::from_source(stream)
    }

    /// Creates a stream of one message, without a box.
    pub fn once(message: T) -> Self {
        Self::from_state(StreamState::Once(message))
    }

    /// Creates an empty stream.
    pub fn empty() -> Self {
        Self::from_state(StreamState::Ended)
    }

    /// Creates a stream of these messages. (The trait `FromIterator` cannot require `Send`.)
    #[allow(clippy::should_implement_trait)]
    pub fn from_iter(messages: impl IntoIterator<Item = T, IntoIter: Send + 'static>) -> Self
    where
        T: 'static,
    {
        Self::new(futures_util::stream::iter(messages.into_iter().map(Ok)))
    }

    /// Creates a stream with a sender. At most `capacity` messages are buffered, then the sender waits. The stream ends when
    /// all senders are dropped.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn channel(capacity: usize) -> (mpsc::Sender<Result<T, Status>>, Self)
    where
        T: Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(capacity);
        (sender, Self::from_source(FromChannel(receiver)))
    }

    /// Sets a function that computes the trailing metadata once the stream has ended successfully. A failed stream carries
    /// its metadata in its [`Status`].
    #[must_use]
    pub fn with_trailers(self, trailers: impl FnOnce() -> Metadata + Send + 'static) -> Self
    where
        T: Send + 'static,
    {
        let compression = self.compression;
        let source = WithTrailers { inner: self, trailers: Some(Box::new(trailers)) };
        Self::from_source(source).received_with(compression)
    }

    /// Compresses only the messages for which `choose` returns true, if the direction has a [`Compression`]. Without this,
    /// all messages are compressed.
    #[must_use]
    pub fn compress_if(self, choose: impl FnMut(&T) -> bool + Send + 'static) -> Self
    where
        T: Send + 'static,
    {
        Self::from_source(Choosing { inner: self, choose: Box::new(choose), plain: false })
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// The status that ended the stream early.
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        std::future::poll_fn(|task| self.poll_message(task)).await.transpose()
    }

    /// The trailing metadata of the stream; empty before its end.
    pub fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// The compression of the last received message; `None` if it was uncompressed, before the first message, and for
    /// streams of this process.
    pub fn last_compression(&self) -> Option<Compression> {
        self.compression.filter(|_| !self.last_is_plain())
    }

    /// Keeps a value alive until the stream has ended or is dropped.
    #[must_use]
    pub fn holding(self, held: impl Send + 'static) -> Self
    where
        T: Send + 'static,
    {
        let compression = self.compression;
        Self::from_source(Holding { inner: self, _held: held }).received_with(compression)
    }

    pub(crate) fn from_source(source: impl Source<T> + 'static) -> Self {
        Self::from_state(StreamState::Flowing(Box::pin(source)))
    }

    fn from_state(source: StreamState<T>) -> Self {
        Self { source, trailers: Metadata::new(), compression: None, plain: false }
    }

    /// Creates a stream of a transport's messages and trailing metadata.
    pub(crate) fn from_events(events: impl Stream<Item = Result<Event<T>, Status>> + Send + 'static) -> Self
    where
        T: Send + 'static,
    {
        Self::from_source(Events { events, trailers: Metadata::new() })
    }

    /// The message of a stream that is known to have exactly one.
    pub(crate) fn into_single(self) -> Result<T, Self> {
        match self.source {
            StreamState::Once(message) => Ok(message),
            source => Err(Self { source, ..self }),
        }
    }

    pub(crate) fn poll_message(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        let StreamState::Flowing(source) = &mut self.source else {
            return Poll::Ready(match std::mem::replace(&mut self.source, StreamState::Ended) {
                StreamState::Once(message) => Some(Ok(message)),
                StreamState::Ended | StreamState::Flowing(_) => None,
            });
        };
        let next = ready!(source.as_mut().poll_message(task));
        match &next {
            Some(Ok(_)) => {}
            Some(Err(_)) => self.end(Metadata::new()),
            None => {
                let trailers = source.as_mut().take_trailers();
                self.end(trailers);
            }
        }
        Poll::Ready(next)
    }

    fn end(&mut self, trailers: Metadata) {
        self.trailers = trailers;
        self.plain = self.last_is_plain();
        self.source = StreamState::Ended;
    }

    fn last_is_plain(&self) -> bool {
        match &self.source {
            StreamState::Flowing(source) => source.as_ref().get_ref().last_is_plain(),
            StreamState::Once(_) | StreamState::Ended => self.plain,
        }
    }

    /// What the messages of this direction came compressed with, those that are plain apart.
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The same stream, whose messages came compressed with this, but for those that
    /// [are plain](Payload::is_uncompressed): what [`last_compression`](Self::last_compression) tells. For a transport that
    /// has received it; a sender chooses by [`Response::with_compression`](crate::Response::with_compression).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), polywire::Status> {
    /// use polywire::{Compression, Streaming};
    ///
    /// let mut received = Streaming::from_iter([1, 2]).received_with(Some(Compression::Zstd));
    /// received.message().await?;
    /// assert_eq!(received.last_compression(), Some(Compression::Zstd));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn received_with(mut self, compression: Option<Compression>) -> Self {
        self.compression = compression;
        self
    }

    /// Whether polling it runs user code.
    pub(crate) fn runs_code(&self) -> bool {
        matches!(self.source, StreamState::Flowing(_))
    }

    pub(crate) fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.trailers)
    }
}

impl<M: Message> Streaming<M> {
    /// The stream as the waist carries it.
    pub(crate) fn into_payloads(self) -> Streaming<Payload> {
        self.map_messages(|message, plain| Ok(Payload::new(message).with_uncompressed(*plain)))
    }
}

impl Streaming<Payload> {
    /// The stream as the user sees it.
    pub(crate) fn into_messages<M: Message>(self) -> Streaming<M> {
        self.map_messages(|message, plain| {
            *plain = message.is_uncompressed();
            message.decode()
        })
    }

    /// The same of the requests that a handler reads: bytes that are no such message are the caller's mistake.
    pub(crate) fn into_requests<M: Message>(self) -> Streaming<M> {
        self.map_messages(|message, plain| {
            *plain = message.is_uncompressed();
            message.into_request()
        })
    }
}

impl<T: Send + 'static> Streaming<T> {
    fn map_messages<U: Send + 'static>(mut self, map: Map<T, U>) -> Streaming<U> {
        let compression = self.compression;
        let mapped = match self.source {
            StreamState::Once(message) => match map(message, &mut self.plain) {
                Ok(message) => Streaming { plain: self.plain, ..Streaming::once(message) },
                Err(status) => Streaming::new(futures_util::stream::iter([Err(status)])),
            },
            StreamState::Ended => Streaming::empty(),
            StreamState::Flowing(_) => Streaming::from_source(Mapped { inner: self, map, plain: false }),
        };
        mapped.received_with(compression)
    }
}

impl<T> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(task)
    }
}

// A message in `Once` is moved, never pinned in place.
impl<T> Unpin for Streaming<T> {}

impl<T> fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            StreamState::Once(_) => "Streaming(one message)",
            StreamState::Flowing(_) => "Streaming",
            StreamState::Ended => "Streaming(ended)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_over_after_its_first_error() {
        let mut stream = Streaming::new(futures_util::stream::iter([Ok(1), Err(Status::aborted("")), Ok(2)]));
        assert_eq!(stream.message().await.unwrap(), Some(1));
        assert!(stream.message().await.is_err());
        assert_eq!(stream.message().await.unwrap(), None);
    }

    #[tokio::test]
    async fn trailers_are_computed_at_the_end() {
        let (sender, stream) = Streaming::channel(1);
        let mut stream = stream.with_trailers(|| {
            let mut trailers = Metadata::new();
            trailers.insert("total", "1").unwrap();
            trailers
        });
        sender.send(Ok(7)).await.unwrap();
        drop(sender);
        assert_eq!(stream.message().await.unwrap(), Some(7));
        assert!(stream.trailers().is_empty());
        assert_eq!(stream.message().await.unwrap(), None);
        assert_eq!(stream.trailers().get("total"), Some("1"));
    }
}
