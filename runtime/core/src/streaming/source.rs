use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::Streaming;
use crate::{Metadata, Status};

/// A stream of messages that knows, once it has ended, what metadata trails it.
pub(crate) trait Source<T>: Send {
    /// As `Stream::poll_next`, but never polled again after the end or an error.
    fn poll_message(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>>;

    /// Whether the last message travels plain, where its direction has a compression. A payload says so itself.
    fn last_is_plain(&self) -> bool {
        false
    }

    /// The trailing metadata; asked for once, after the end.
    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        Metadata::new()
    }
}

impl<T, S: Stream<Item = Result<T, Status>> + Send> Source<T> for S {
    fn poll_message(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        self.poll_next(task)
    }
}

/// What a transport reads off a call.
pub(crate) enum Event<T> {
    Message(T),
    Trailers(Metadata),
}

pin_project_lite::pin_project! {
    pub(super) struct Events<S> {
        #[pin]
        pub(super) events: S,
        pub(super) trailers: Metadata,
    }
}

impl<T: Send, S: Stream<Item = Result<Event<T>, Status>> + Send> Source<T> for Events<S> {
    fn poll_message(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        let this = self.project();
        Poll::Ready(match ready!(this.events.poll_next(task)) {
            Some(Ok(Event::Message(message))) => Some(Ok(message)),
            Some(Ok(Event::Trailers(trailers))) => {
                *this.trailers = trailers;
                None
            }
            Some(Err(status)) => Some(Err(status)),
            None => None,
        })
    }

    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        std::mem::take(self.project().trailers)
    }
}

pub(super) struct FromChannel<T>(pub(super) mpsc::Receiver<Result<T, Status>>);

impl<T: Send> Source<T> for FromChannel<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        self.0.poll_recv(task)
    }
}

/// Makes another of a message. The flag says whether the message travels plain, and then whether the other does.
pub(super) type Map<T, U> = fn(T, &mut bool) -> Result<U, Status>;

pub(super) struct Mapped<T, U> {
    pub(super) inner: Streaming<T>,
    pub(super) map: Map<T, U>,
    pub(super) plain: bool,
}

impl<T: Send, U> Source<U> for Mapped<T, U> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<U, Status>>> {
        let message = ready!(self.inner.poll_message(task));
        Poll::Ready(message.map(|message| {
            self.plain = self.inner.last_is_plain();
            message.and_then(|message| (self.map)(message, &mut self.plain))
        }))
    }

    fn last_is_plain(&self) -> bool {
        self.plain
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

pub(super) struct Holding<T, H> {
    pub(super) inner: Streaming<T>,
    pub(super) _held: H,
}

// What is held is never pinned in place.
impl<T, H> Unpin for Holding<T, H> {}

impl<T: Send, H: Send> Source<T> for Holding<T, H> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        self.inner.poll_message(task)
    }

    fn last_is_plain(&self) -> bool {
        self.inner.last_is_plain()
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

pub(super) struct WithTrailers<T> {
    pub(super) inner: Streaming<T>,
    pub(super) trailers: Option<Box<dyn FnOnce() -> Metadata + Send>>,
}

impl<T: Send> Source<T> for WithTrailers<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        self.inner.poll_message(task)
    }

    fn last_is_plain(&self) -> bool {
        self.inner.last_is_plain()
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        let mut trailers = self.inner.take_trailers();
        if let Some(compute) = self.trailers.take() {
            trailers.extend(compute());
        }
        trailers
    }
}

pub(super) struct Choosing<T> {
    pub(super) inner: Streaming<T>,
    pub(super) choose: Box<dyn FnMut(&T) -> bool + Send>,
    pub(super) plain: bool,
}

impl<T: Send> Source<T> for Choosing<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        let this = &mut *self;
        let next = ready!(this.inner.poll_message(task));
        if let Some(Ok(message)) = &next {
            this.plain = !(this.choose)(message);
        }
        Poll::Ready(next)
    }

    fn last_is_plain(&self) -> bool {
        self.plain
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
