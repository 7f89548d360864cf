use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll},
};

use crate::{Metadata, Payload, Status, Streaming, payload::Kept, streaming::Source};

/// The requests of a stream, which can be sent again until the first of them was taken. A single one that is there
/// already can be sent as often as a unary call's.
pub(super) enum LentStream {
    One(Kept),
    Many(Arc<Mutex<Lent>>),
}

/// The stream, and for which attempt it is.
pub(super) struct Lent {
    messages: Streaming<Payload>,
    attempt: u32,
    touched: bool,
}

impl LentStream {
    /// The stream to be sent, and what gives it again.
    pub(super) fn keep(messages: Streaming<Payload>) -> (Streaming<Payload>, Self) {
        match messages.into_single() {
            Ok(message) => {
                let (message, kept) = message.keep();
                (Streaming::once(message), Self::One(kept))
            }
            Err(messages) => {
                let lent = Arc::new(Mutex::new(Lent { messages, attempt: 0, touched: false }));
                (borrowed(&lent, 0), Self::Many(lent))
            }
        }
    }

    /// The stream once more; `None` where something of it was taken.
    pub(super) fn again(&self) -> Option<Streaming<Payload>> {
        match self {
            Self::One(kept) => kept.again().map(Streaming::once),
            Self::Many(shared) => {
                let mut lent = lock(shared);
                if lent.touched {
                    return None;
                }
                lent.attempt += 1;
                let attempt = lent.attempt;
                drop(lent);
                Some(borrowed(shared, attempt))
            }
        }
    }
}

fn lock(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

fn borrowed(lent: &Arc<Mutex<Lent>>, attempt: u32) -> Streaming<Payload> {
    Streaming::from_source(Borrowed { lent: lent.clone(), attempt })
}

/// The stream as one attempt sees it.
struct Borrowed {
    lent: Arc<Mutex<Lent>>,
    attempt: u32,
}

impl Source<Payload> for Borrowed {
    fn poll_message(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let mut lent = lock(&self.lent);
        if lent.attempt != self.attempt {
            return Poll::Ready(Some(Err(Status::cancelled(
                "another attempt has taken these requests over",
            ))));
        }
        let next = lent.messages.poll_message(task);
        lent.touched |= next.is_ready();
        next
    }

    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        lock(&self.lent).messages.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    #[tokio::test]
    async fn a_stream_can_be_sent_again_until_its_first_message_was_taken() {
        let message = || Payload::encoded(Codec::Protobuf, "x".into());
        let (mut first, kept) = LentStream::keep(Streaming::from_iter([message(), message()]));
        let mut second = kept.again().unwrap();
        assert!(first.message().await.is_err(), "the earlier attempt is over");
        assert!(second.message().await.unwrap().is_some());
        assert!(kept.again().is_none());
        assert!(second.message().await.unwrap().is_some());
        assert!(second.message().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_single_message_can_be_sent_as_often_as_it_takes() {
        let (first, kept) = LentStream::keep(Streaming::once(Payload::encoded(Codec::Protobuf, "x".into())));
        drop(first);
        for _ in 0..3 {
            assert!(kept.again().unwrap().message().await.unwrap().is_some());
        }
    }
}
