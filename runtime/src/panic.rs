use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use crate::{Metadata, Payload, Status, Streaming, streaming::Source};

/// What the caller is told of a panic. The panic's text stays in this process: it may hold anything.
fn status(payload: &(dyn Any + Send)) -> Status {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)");
    tracing::error!(panic = text, "a handler panicked");
    Status::internal("the handler panicked")
}

thread_local! {
    /// How many guards this thread is in, one within the other.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic in this thread, now, costs no more than a call.
#[cfg(feature = "node")]
pub(crate) fn is_guarded() -> bool {
    GUARDS.get() > 0
}

/// What the code returns, or its panic.
fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    GUARDS.set(GUARDS.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(code));
    GUARDS.set(GUARDS.get() - 1);
    outcome
}

/// The outcome of somebody's code, or `Internal` where it panics.
pub(crate) fn guard<F>(code: F) -> Guard<F> {
    Guard { code }
}

pin_project_lite::pin_project! {
    /// Code that may panic.
    pub(crate) struct Guard<F> {
        #[pin]
        code: F,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Guard<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = caught(|| this.code.poll(task));
        polled.unwrap_or_else(|payload| Poll::Ready(Err(status(&*payload))))
    }
}

/// The stream, ended by `Internal` where polling it panics.
pub(crate) fn guard_stream(stream: Streaming<Payload>) -> Streaming<Payload> {
    if !stream.runs_code() {
        return stream;
    }
    Streaming::from_source(Guarded(stream))
}

struct Guarded(Streaming<Payload>);

impl Source<Payload> for Guarded {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = caught(|| self.0.poll_message(task));
        let polled = polled.map(|polled| polled.map_err(Status::processed));
        polled.unwrap_or_else(|payload| {
            self.0 = Streaming::empty();
            Poll::Ready(Some(Err(status(&*payload))))
        })
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        caught(|| self.0.take_trailers()).unwrap_or_default()
    }
}
