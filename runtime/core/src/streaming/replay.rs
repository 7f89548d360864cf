use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use super::{Source, Streaming};
use crate::{
    Metadata, Payload, Status,
    payload::ReplayPayload,
    sync::{Mutex, MutexGuard},
};

/// The requests of a stream, which can be sent again while its first messages are kept: as long as this lives, and no
/// more than [`KEPT`] of them was taken. A single one that is there already can be sent as often as a unary call's.
pub(crate) enum ReplayStream {
    One(ReplayPayload),
    Many(Lender),
}

/// How much of a stream is kept, in bytes of its messages in whatever encoding they are at hand. gRPC's libraries keep
/// as much of a call by default (`grpc.per_rpc_retry_buffer_size`).
const KEPT: usize = 256 << 10;

/// What a message costs beside its bytes, so that empty ones are not kept without end.
const EACH: usize = 128;

/// Dropped, nothing is kept any more.
pub(crate) struct Lender(Arc<Mutex<Lent>>);

/// The stream, and for which attempt it is.
struct Lent {
    messages: Streaming<Payload>,
    attempt: u32,
    /// Whether what is taken of it is kept.
    keeps: bool,
    /// What was taken of it, all of it while that is kept.
    taken: Vec<ReplayPayload>,
    /// What that weighs.
    weight: usize,
}

impl ReplayStream {
    /// The stream to be sent, and what gives it again.
    pub(crate) fn keep(messages: Streaming<Payload>) -> (Streaming<Payload>, Self) {
        match messages.into_single() {
            Ok(message) => {
                let (message, kept) = message.keep();
                (Streaming::once(message), Self::One(kept))
            }
            Err(messages) => {
                let lent = Lent { messages, attempt: 0, keeps: true, taken: Vec::new(), weight: 0 };
                let lent = Arc::new(Mutex::new(lent));
                (borrowed(&lent, 0), Self::Many(Lender(lent)))
            }
        }
    }

    /// The stream once more, from its beginning; `None` where that is not at hand any more.
    pub(crate) fn again(&self) -> Option<Streaming<Payload>> {
        match self {
            Self::One(kept) => kept.again().map(Streaming::once),
            Self::Many(Lender(shared)) => {
                let mut lent = lock(shared);
                if !lent.keeps || !lent.taken.iter().all(ReplayPayload::is_there) {
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

impl Drop for Lender {
    fn drop(&mut self) {
        let mut lent = lock(&self.0);
        lent.keeps = false;
        if lent.attempt == 0 {
            // A later attempt may yet have to be given what the first one was.
            lent.taken = Vec::new();
        }
    }
}

impl Lent {
    /// The next message of the stream itself.
    fn poll_next(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Result<Payload, Status>>> {
        self.messages.poll_message(task).map(|next| match next? {
            Ok(message) => Some(Ok(self.note(message))),
            Err(status) => {
                // It fails once, and would not fail again.
                self.keeps = false;
                Some(Err(status))
            }
        })
    }

    /// The same message, kept where there is room.
    fn note(&mut self, message: Payload) -> Payload {
        if self.keeps {
            self.weight += message.size() + EACH;
            self.keeps = self.weight <= KEPT;
        }
        if !self.keeps {
            self.taken = Vec::new();
            return message;
        }
        let (message, kept) = message.keep();
        self.taken.push(kept);
        message
    }
}

fn lock(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock()
}

fn borrowed(lent: &Arc<Mutex<Lent>>, attempt: u32) -> Streaming<Payload> {
    Streaming::from_source(Borrowed { lent: lent.clone(), attempt, given: 0 })
}

/// The stream as one attempt sees it.
struct Borrowed {
    lent: Arc<Mutex<Lent>>,
    attempt: u32,
    /// How many of the messages that are kept it has been given.
    given: usize,
}

impl Source<Payload> for Borrowed {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let this = &mut *self;
        let mut lent = lock(&this.lent);
        if lent.attempt != this.attempt {
            return Poll::Ready(Some(Err(taken_over())));
        }
        let next = match lent.taken.get(this.given) {
            Some(kept) => Poll::Ready(Some(kept.again().ok_or_else(taken_over))),
            None => lent.poll_next(task),
        };
        this.given += usize::from(next.is_ready());
        next
    }

    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        lock(&self.lent).messages.take_trailers()
    }
}

fn taken_over() -> Status {
    Status::cancelled("another attempt has taken these requests over")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Codec;

    fn message(text: &'static str) -> Payload {
        Payload::encoded(Codec::Protobuf, text.into())
    }

    async fn all(mut messages: Streaming<Payload>) -> Vec<Bytes> {
        let mut all = Vec::new();
        while let Some(message) = messages.message().await.unwrap() {
            all.push(message.as_encoded(Codec::Protobuf).unwrap().clone());
        }
        all
    }

    #[tokio::test]
    async fn a_stream_is_given_again_from_its_beginning_and_to_one_attempt_at_a_time() {
        let (mut first, kept) = ReplayStream::keep(Streaming::from_iter([message("a"), message("b")]));
        assert!(first.message().await.unwrap().is_some());
        let mut second = kept.again().unwrap();
        assert!(first.message().await.is_err(), "the earlier attempt is over");
        assert!(second.message().await.unwrap().is_some());
        assert!(second.message().await.unwrap().is_some());
        assert!(second.message().await.unwrap().is_none());
        assert_eq!(all(kept.again().unwrap()).await, ["a", "b"], "also behind its end");
    }

    #[tokio::test]
    async fn what_is_too_much_to_be_kept_is_not_given_again_and_flows_on() {
        let large = || Payload::encoded(Codec::Protobuf, vec![0; KEPT / 2].into());
        let (mut first, kept) = ReplayStream::keep(Streaming::from_iter([large(), large(), message("last")]));
        assert!(first.message().await.unwrap().is_some());
        let mut second = kept.again().unwrap();
        for _ in 0..3 {
            assert!(second.message().await.unwrap().is_some());
        }
        assert!(kept.again().is_none());
        assert!(second.message().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn empty_messages_are_not_kept_without_end() {
        let (mut first, kept) = ReplayStream::keep(Streaming::from_iter((0..4_096).map(|_| message(""))));
        while first.message().await.unwrap().is_some() {}
        assert!(kept.again().is_none());
    }

    #[tokio::test]
    async fn nothing_is_kept_once_it_cannot_be_asked_for() {
        let shared = Bytes::from(vec![0; 64]);
        let messages = [Payload::encoded(Codec::Protobuf, shared.clone()), message("b")];
        let (mut first, kept) = ReplayStream::keep(Streaming::from_iter(messages));
        drop(first.message().await.unwrap());
        assert!(!shared.is_unique());
        drop(kept);
        assert!(shared.is_unique());
        assert!(first.message().await.unwrap().is_some(), "the stream goes on");
    }

    #[tokio::test]
    async fn an_attempt_under_way_is_given_all_of_it_also_where_there_will_be_no_other() {
        let (mut first, kept) = ReplayStream::keep(Streaming::from_iter(["a", "b", "c"].map(message)));
        for _ in 0..2 {
            assert!(first.message().await.unwrap().is_some());
        }
        let second = kept.again().unwrap();
        drop(kept);
        assert_eq!(all(second).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_stream_that_has_failed_is_not_given_again() {
        let messages =
            Streaming::new(futures_util::stream::iter([Ok(message("a")), Err(Status::aborted(""))]));
        let (mut first, kept) = ReplayStream::keep(messages);
        assert!(first.message().await.unwrap().is_some());
        assert!(first.message().await.is_err());
        assert!(kept.again().is_none());
    }

    #[tokio::test]
    async fn a_single_message_can_be_sent_as_often_as_it_takes() {
        let (first, kept) = ReplayStream::keep(Streaming::once(message("x")));
        drop(first);
        for _ in 0..3 {
            assert!(kept.again().unwrap().message().await.unwrap().is_some());
        }
    }
}
