use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use tokio::time::Instant;

use super::{attempt::Uncounted, state::ChannelState, vigil::Vigil};
use crate::{Channel, Code, Metadata, Payload, Status, Streaming, streaming::Source};

/// The answers of a stream, whose subchannel is asked after where they break off, and which end where it is gone. Its attempt is
/// counted at their end.
pub(super) struct ResponseStream {
    inner: Streaming<Payload>,
    shared: Arc<ChannelState>,
    place: usize,
    idempotent: bool,
    attempt: Option<Uncounted>,
    /// Until they end.
    vigil: Option<Vigil>,
}

impl ResponseStream {
    /// These answers to this attempt, over this way of the subchannel at this place.
    pub(super) fn over(
        shared: &Arc<ChannelState>,
        (place, way): (usize, Channel),
        idempotent: bool,
        attempt: Option<Uncounted>,
        inner: Streaming<Payload>,
    ) -> Streaming<Payload> {
        let vigil = Some(Vigil::over(shared.subchannels[place].clone(), way));
        let compression = inner.compression();
        let answers = Self { inner, shared: shared.clone(), place, idempotent, attempt, vigil };
        Streaming::from_source(answers).received_with(compression)
    }

    fn end(&mut self, code: Code) {
        self.vigil = None;
        if let Some(attempt) = self.attempt.take() {
            attempt.ended(code);
        }
    }

    fn poll_gone(&mut self, task: &mut TaskContext<'_>) -> Poll<Status> {
        let Some(vigil) = &mut self.vigil else { return Poll::Pending };
        vigil.poll_gone(task).map(|()| {
            let subchannel = &self.shared.subchannels[self.place];
            let (target, transport) = (&subchannel.target, subchannel.transport);
            Status::unavailable(format!("{target}: the peer does not answer any more over {transport}"))
        })
    }
}

impl Source<Payload> for ResponseStream {
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
            Poll::Ready(Some(Ok(_))) => {
                self.vigil.iter_mut().for_each(Vigil::heard);
                return next;
            }
            Poll::Pending => match self.poll_gone(task) {
                Poll::Ready(status) => {
                    // The call is cancelled, as far as anything can be told to the peer.
                    self.inner = Streaming::empty();
                    status
                }
                Poll::Pending => return Poll::Pending,
            },
        };
        self.end(status.code());
        if self.shared.subchannels[self.place].struck(Instant::now(), &status) {
            self.shared.prober.wake();
        }
        Poll::Ready(Some(Err(status.maybe_executed(self.idempotent))))
    }

    fn last_is_plain(&self) -> bool {
        self.inner.last_is_plain()
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}
