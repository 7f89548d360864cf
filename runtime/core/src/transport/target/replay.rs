use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use crate::{
    Metadata, Payload, Status, Streaming,
    payload::ReplayPayload,
    streaming::Source,
    sync::{Mutex, MutexGuard},
};

/// How many messages of a stream are kept for a second attempt. A refusal comes within a round trip.
const MOST: usize = 16;

/// The requests of a call that may be refused for how they are encoded. They can be sent once more while those that were
/// sent are at hand.
pub(super) struct Replay(Arc<Mutex<Requests>>);

struct Requests {
    /// What has not been taken yet.
    rest: Streaming<Payload>,
    /// What has, in order; `None` once it is too much, or nothing is kept any more.
    taken: Option<Vec<ReplayPayload>>,
    attempt: u32,
}

impl Replay {
    /// The stream to be sent, and what gives it again.
    pub(super) fn keep(messages: Streaming<Payload>) -> (Streaming<Payload>, Self) {
        let requests = Requests { rest: messages, taken: Some(Vec::new()), attempt: 0 };
        let replay = Self(Arc::new(Mutex::new(requests)));
        (replay.attempt(0, VecDeque::new()), replay)
    }

    /// The stream once more, and for the last time; `None` where not all of what was sent is at hand.
    pub(super) fn again(self) -> Option<Streaming<Payload>> {
        let mut requests = lock(&self.0);
        let taken = requests.taken.take()?;
        let sent = taken.iter().map(ReplayPayload::again).collect::<Option<VecDeque<_>>>()?;
        requests.attempt += 1;
        let attempt = requests.attempt;
        drop(requests);
        Some(self.attempt(attempt, sent))
    }

    /// Keeps nothing any more: the call has been taken.
    pub(super) fn over(self) {
        lock(&self.0).taken = None;
    }

    fn attempt(&self, number: u32, sent: VecDeque<Payload>) -> Streaming<Payload> {
        Streaming::from_source(Attempt { requests: self.0.clone(), number, sent })
    }
}

fn lock(requests: &Mutex<Requests>) -> MutexGuard<'_, Requests> {
    requests.lock()
}

/// The stream as one attempt sees it.
struct Attempt {
    requests: Arc<Mutex<Requests>>,
    number: u32,
    /// What the attempt before has sent already.
    sent: VecDeque<Payload>,
}

impl Source<Payload> for Attempt {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        if let Some(message) = self.sent.pop_front() {
            return Poll::Ready(Some(Ok(message)));
        }
        let mut requests = lock(&self.requests);
        if requests.attempt != self.number {
            let over = Status::cancelled("another attempt has taken these requests over");
            return Poll::Ready(Some(Err(over)));
        }
        let next = requests.rest.poll_message(task);
        let Poll::Ready(Some(Ok(message))) = next else { return next };
        Poll::Ready(Some(Ok(match &mut requests.taken {
            Some(taken) if taken.len() < MOST => {
                let (message, kept) = message.keep();
                taken.push(kept);
                message
            }
            _ => {
                requests.taken = None;
                message
            }
        })))
    }

    fn take_trailers(self: Pin<&mut Self>) -> Metadata {
        lock(&self.requests).rest.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn message(text: &str) -> Payload {
        Payload::encoded(Codec::Protobuf, text.to_owned().into())
    }

    async fn next(messages: &mut Streaming<Payload>) -> Option<String> {
        let message = messages.message().await.unwrap()?;
        Some(String::from_utf8(message.as_encoded(Codec::Protobuf).unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_was_sent_is_sent_again_before_what_was_not() {
        let (mut first, replay) = Replay::keep(Streaming::from_iter(["a", "b", "c"].map(message)));
        assert_eq!(next(&mut first).await.as_deref(), Some("a"));
        assert_eq!(next(&mut first).await.as_deref(), Some("b"));
        let mut second = replay.again().unwrap();
        assert!(first.message().await.is_err(), "the first attempt is over");
        for expected in [Some("a"), Some("b"), Some("c"), None] {
            assert_eq!(next(&mut second).await.as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn no_more_is_kept_than_a_round_trip_holds() {
        let (mut first, replay) = Replay::keep(Streaming::from_iter((0..=MOST).map(|_| message("x"))));
        for _ in 0..=MOST {
            next(&mut first).await.unwrap();
        }
        assert!(replay.again().is_none());
    }
}
