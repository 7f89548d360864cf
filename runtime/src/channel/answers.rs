use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use tokio::time::Instant;

use super::{
    attempts::{Uncounted, last_word},
    shared::Shared,
};
use crate::{Code, Metadata, Payload, Status, Streaming, streaming::Source};

/// The answers of a stream, whose route is asked after where they break off. Its attempt is counted at their end.
pub(super) struct Answers {
    inner: Streaming<Payload>,
    shared: Arc<Shared>,
    place: usize,
    idempotent: bool,
    attempt: Option<Uncounted>,
}

impl Answers {
    /// These answers to this attempt, over the route at this place.
    pub(super) fn over(
        shared: &Arc<Shared>,
        place: usize,
        idempotent: bool,
        attempt: Option<Uncounted>,
        inner: Streaming<Payload>,
    ) -> Streaming<Payload> {
        Streaming::from_source(Self { inner, shared: shared.clone(), place, idempotent, attempt })
    }

    fn end(&mut self, code: Code) {
        if let Some(attempt) = self.attempt.take() {
            attempt.ended(code);
        }
    }
}

impl Source<Payload> for Answers {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let next = self.inner.poll_message(task);
        let status = match next {
            Poll::Ready(Some(Err(status))) => status,
            Poll::Ready(None) => {
                self.end(Code::Ok);
                return next;
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => return next,
        };
        self.end(status.code());
        if self.shared.routes[self.place].struck(Instant::now(), &status) {
            self.shared.keeper.wake();
        }
        Poll::Ready(Some(Err(last_word(status, self.idempotent))))
    }

    fn last_is_plain(&self) -> bool {
        self.inner.last_is_plain()
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
