use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use super::member::Flight;
use crate::{Metadata, Payload, Status, Streaming, streaming::Source};

/// The answers of a stream at a member. It is in flight there until they end, and the member is judged by how they do: one
/// whose streams open and break off at once does not answer fast.
pub(super) struct ResponseStream {
    inner: Streaming<Payload>,
    flight: Option<Flight>,
    service: Box<str>,
    opened: Duration,
}

impl ResponseStream {
    /// These answers to a call of this service that is under way.
    pub(super) fn of(flight: Flight, service: &str, inner: Streaming<Payload>) -> Streaming<Payload> {
        let (opened, compression) = (flight.took(), inner.compression());
        let answers = Self { inner, flight: Some(flight), service: service.into(), opened };
        Streaming::from_source(answers).received_with(compression)
    }
}

impl Source<Payload> for ResponseStream {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let next = self.inner.poll_message(task);
        let failure = match &next {
            Poll::Ready(Some(Err(status))) => Some(status),
            Poll::Ready(None) => None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => return next,
        };
        if let Some(flight) = self.flight.take() {
            flight.note(&self.service, self.opened, failure);
        }
        next
    }

    fn last_is_plain(&self) -> bool {
        self.inner.last_is_plain()
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
