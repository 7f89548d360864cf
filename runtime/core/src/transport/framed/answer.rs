//! What a server writes on the stream of a call.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::{SendStream, StreamError};
use crate::{Status, deadline, wire::StreamCode};

/// The direction that is written. An answer that was not ended must not look as if it were.
pub(super) struct Answer<T: SendStream> {
    send: T,
    /// Says that the caller gave up; made when there is something to wait for, as few calls have.
    stopped: Option<BoxFuture<'static, ()>>,
    pub(super) deadline: Option<Instant>,
    over: bool,
}

impl<T: SendStream> Answer<T> {
    /// Nothing has been written yet, and there is no deadline.
    pub(super) fn new(send: T) -> Self {
        Self { send, stopped: None, deadline: None, over: false }
    }

    /// What the work comes to, unless the caller gives up first: then it is dropped.
    pub(super) fn unless_stopped<F>(&mut self, work: F) -> UnlessStopped<'_, T, F> {
        UnlessStopped { answer: self, work: Some(work) }
    }

    /// Writes what is not the last. A caller that reads no more holds the call up to its deadline.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Status> {
        let written = Written::new(self.deadline, self.send.write(bytes), &mut self.stopped).await;
        // Part of it may be under way, so nothing can follow.
        written.inspect_err(|_| self.give_up())
    }

    /// Writes the last and ends the direction. It has so much time beyond the deadline, which may be what it tells of.
    pub(super) fn end(&mut self, last: Bytes, grace: Duration) -> impl Future<Output = ()> + Send {
        let now = Instant::now();
        let by = self.deadline.map_or(now, |deadline| deadline.max(now)).checked_add(grace);
        async move {
            if self.over {
                return;
            }
            let ended = Written::new(by, self.send.end(last), &mut self.stopped).await;
            self.over = ended.is_ok();
            if !self.over {
                self.give_up();
            }
        }
    }

    fn give_up(&mut self) {
        self.send.reset(StreamCode::Cancelled);
        self.over = true;
    }
}

impl<T: SendStream> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.over {
            self.give_up();
        }
    }
}

/// Returns when the peer wants no more. One that has said so already is found out by a write of nothing:
/// QUIC libraries forget to tell a waiter that comes later.
fn when_stopped<T: SendStream>(send: &mut T) -> BoxFuture<'static, ()> {
    match send.write(Bytes::new()).now_or_never() {
        Some(Err(_)) => Box::pin(std::future::ready(())),
        Some(Ok(())) | None => Box::pin(send.stopped()),
    }
}

pin_project_lite::pin_project! {
    /// Work for an answer, which ends when the caller gives up.
    pub(super) struct UnlessStopped<'a, T: SendStream, F> {
        answer: &'a mut Answer<T>,
        #[pin]
        work: Option<F>,
    }
}

impl<T: SendStream, O, F: Future<Output = Result<O, Status>>> Future for UnlessStopped<'_, T, F> {
    type Output = Result<O, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(work) = this.work.as_mut().as_pin_mut()
            && let Poll::Ready(outcome) = work.poll(task)
        {
            return Poll::Ready(outcome);
        }
        let Answer { send, stopped, deadline, .. } = &mut **this.answer;
        let stopped = stopped.get_or_insert_with(|| when_stopped(send));
        std::task::ready!(stopped.as_mut().poll(task));
        let reason = match deadline::is_reached(*deadline) {
            true => deadline::exceeded(),
            false => Status::cancelled("the caller gave up"),
        };
        this.work.set(None);
        this.answer.give_up();
        Poll::Ready(Err(reason))
    }
}

pin_project_lite::pin_project! {
    /// How a write ends: well, by the deadline, or because the peer wants no more.
    struct Written<'a, W> {
        #[pin]
        writing: W,
        stopped: &'a mut Option<BoxFuture<'static, ()>>,
    }
}

impl<'a> Written<'a, ()> {
    fn new<W: Future<Output = Result<(), StreamError>> + Send>(
        deadline: Option<Instant>,
        writing: W,
        stopped: &'a mut Option<BoxFuture<'static, ()>>,
    ) -> Written<'a, impl Future<Output = Result<Result<(), StreamError>, Status>> + Send + use<W>> {
        Written { writing: deadline::bound(deadline, writing.map(Ok)), stopped }
    }
}

impl<W: Future<Output = Result<Result<(), StreamError>, Status>>> Future for Written<'_, W> {
    type Output = Result<(), Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let unwanted = || Status::cancelled("the caller wants no more");
        match (this.writing.poll(task), this.stopped) {
            (Poll::Ready(Ok(written)), _) => Poll::Ready(written.map_err(|_| unwanted())),
            (Poll::Ready(Err(exceeded)), _) => Poll::Ready(Err(exceeded.processed())),
            // A write that waits for the connection's window is not told that its stream was stopped.
            (Poll::Pending, Some(stopped)) => stopped.as_mut().poll(task).map(|()| Err(unwanted())),
            (Poll::Pending, None) => Poll::Pending,
        }
    }
}
