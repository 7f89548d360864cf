use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use tokio::time::{Instant, Sleep};

use crate::{Metadata, Status, Streaming, streaming::Source};

/// The future's outcome, or `DeadlineExceeded` once the deadline passes. Without a deadline no timer is
/// made.
pub(crate) async fn bound<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(deadline) = deadline else { return future.await };
    match tokio::time::timeout_at(deadline, future).await {
        Ok(outcome) => outcome,
        Err(_) => Err(exceeded()),
    }
}

/// The stream, ended by `DeadlineExceeded` once the deadline passes.
pub(crate) fn bound_stream<T: Send + 'static>(
    deadline: Option<Instant>,
    stream: Streaming<T>,
) -> Streaming<T> {
    match deadline {
        None => stream,
        Some(deadline) => Streaming::from_source(Bounded {
            inner: stream,
            sleep: Box::pin(tokio::time::sleep_until(deadline)),
        }),
    }
}

pub(crate) fn exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed before the call ended")
}

struct Bounded<T> {
    inner: Streaming<T>,
    sleep: Pin<Box<Sleep>>,
}

impl<T: Send> Source<T> for Bounded<T> {
    fn poll_message(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        // The deadline first: a stream that always has a message ready must end too.
        if self.sleep.as_mut().poll(task).is_ready() {
            self.inner = Streaming::empty();
            return Poll::Ready(Some(Err(exceeded())));
        }
        self.inner.poll_message(task)
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
