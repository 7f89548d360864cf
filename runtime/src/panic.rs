use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use crate::{Metadata, Method, Payload, Status, Streaming, streaming::Source};

/// What the caller is told of a panic. The panic's text stays in this process: it may hold anything.
pub(crate) fn status(payload: &(dyn Any + Send), method: &Method) -> Status {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)");
    tracing::error!(method = method.path(), panic = text, "a handler panicked");
    Status::internal("the handler panicked")
}

/// The handler's outcome, or `Internal` where it panics.
pub(crate) fn guard<F>(handler: F, method: &'static Method) -> Guard<F> {
    Guard { handler, method }
}

pin_project_lite::pin_project! {
    /// A handler that may panic.
    pub(crate) struct Guard<F> {
        #[pin]
        handler: F,
        method: &'static Method,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Guard<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.handler.poll(task)));
        polled.unwrap_or_else(|payload| Poll::Ready(Err(status(&*payload, this.method))))
    }
}

/// The stream, ended by `Internal` where polling it panics.
pub(crate) fn guard_stream(stream: Streaming<Payload>, method: &'static Method) -> Streaming<Payload> {
    if !stream.runs_code() {
        return stream;
    }
    Streaming::from_source(Guarded { inner: stream, method })
}

struct Guarded {
    inner: Streaming<Payload>,
    method: &'static Method,
}

impl Source<Payload> for Guarded {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let method = self.method;
        let polled = catch_unwind(AssertUnwindSafe(|| self.inner.poll_message(task)));
        let polled = polled.map(|polled| polled.map_err(Status::processed));
        polled.unwrap_or_else(|payload| {
            self.inner = Streaming::empty();
            Poll::Ready(Some(Err(status(&*payload, method))))
        })
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        catch_unwind(AssertUnwindSafe(|| self.inner.take_trailers())).unwrap_or_default()
    }
}
