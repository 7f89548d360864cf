use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use super::span::Open;
use crate::{Metadata, Payload, Response, Status, Streaming, streaming::Source};

pin_project_lite::pin_project! {
    /// Work with a span that ends with it. This is no `async fn`, which would hold the work twice.
    pub(crate) struct Traced<F> {
        #[pin]
        pub(super) work: F,
        pub(super) span: Option<Box<Open>>,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Traced<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(span) = this.span else { return this.work.poll(task) };
        let outcome = ready!(span.enter(|| this.work.poll(task)));
        span.end(outcome.as_ref().map(|_| ()));
        *this.span = None;
        Poll::Ready(outcome)
    }
}

pin_project_lite::pin_project! {
    /// Work up to where the answers begin, with a span that ends with the last of them.
    pub(crate) struct TracedOpening<F> {
        #[pin]
        pub(super) work: F,
        pub(super) span: Option<Box<Open>>,
    }
}

impl<F: Future<Output = Result<Response<Streaming<Payload>>, Status>>> Future for TracedOpening<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(span) = this.span else { return this.work.poll(task) };
        let outcome = ready!(span.enter(|| this.work.poll(task)));
        if let Err(status) = &outcome {
            span.end(Err(status));
        }
        let span = this.span.take();
        Poll::Ready(
            outcome
                .map(|response| response.map(|inner| Streaming::from_source(TracedStream { inner, span }))),
        )
    }
}

/// Answers with a span that ends with the last of them.
struct TracedStream {
    inner: Streaming<Payload>,
    span: Option<Box<Open>>,
}

impl Source<Payload> for TracedStream {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let Self { inner, span } = &mut *self;
        let Some(open) = span else { return inner.poll_message(task) };
        let next = ready!(open.enter(|| inner.poll_message(task)));
        match &next {
            Some(Ok(_)) => return Poll::Ready(next),
            Some(Err(status)) => open.end(Err(status)),
            None => open.end(Ok(())),
        }
        *span = None;
        Poll::Ready(next)
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
