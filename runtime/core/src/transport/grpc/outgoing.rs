use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context as TaskContext, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::oneshot;

use super::status;
use crate::{Payload, Status, Streaming, encoding::Encoding, sync::Mutex, transport::Arrival};

/// Past this many bytes a frame takes what it has: the largest frame that a peer must accept
/// (RFC 9113, section 4.2).
const COALESCE: usize = 16 << 10;

/// The flag that says whether a message is compressed, and its length in four bytes.
pub(super) const PREFIX: usize = 5;

/// One message behind its prefix: whether it is compressed, and its length in four bytes.
pub(super) fn put_message(
    buffer: &mut BytesMut,
    message: &Payload,
    encoding: &Encoding,
) -> Result<(), Status> {
    let start = buffer.len();
    buffer.put_bytes(0, PREFIX);
    let outcome = append(buffer, message, encoding);
    match outcome {
        Ok((length, compressed)) => {
            buffer[start] = u8::from(compressed);
            buffer[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
        }
        Err(_) => buffer.truncate(start),
    }
    outcome.map(|_| ())
}

/// Appends the message without its prefix: how long it is then, and whether it is compressed.
fn append(buffer: &mut BytesMut, message: &Payload, encoding: &Encoding) -> Result<(u32, bool), Status> {
    let start = buffer.len();
    encoding.encode(message, buffer)?;
    let (size, limit) = (buffer.len() - start, encoding.limit);
    let length = u32::try_from(size).ok().filter(|_| size <= limit).ok_or_else(|| {
        let refusal = format!("a message to send of {size} bytes is larger than the limit of {limit} bytes");
        Status::resource_exhausted(refusal)
    })?;
    match encoding.compression_of(message) {
        // What is compressed is shorter, so its length fits too.
        Some(compression) if compression.compress_from(start, buffer)? => {
            Ok(((buffer.len() - start) as u32, true))
        }
        _ => Ok((length, false)),
    }
}

/// The body of one direction that has a single message, or none: encoded already.
pub(super) struct Single {
    pub(super) message: Option<Bytes>,
    /// What ends an answer; a request just ends.
    pub(super) trailers: Option<HeaderMap>,
    /// The call that a request is of: once it has gone, its message is not sent. hyper keeps a request that waits for its turn on
    /// the connection, and notices no sooner than it begins that its answer is not wanted.
    pub(super) call: Option<OfCall>,
}

impl Body for Single {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.call.as_ref().is_some_and(OfCall::has_gone) {
            self.message = None;
            return Poll::Ready(Some(Err(Status::cancelled("the caller has given the call up"))));
        }
        let data = self.message.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}

/// The body of one direction that streams messages. Small ones that are ready together share a frame.
pub(super) struct Many {
    messages: Streaming<Payload>,
    buffer: BytesMut,
    encoding: Encoding,
    trailers_limit: usize,
    /// Learns how an answer ends.
    arrival: Arrival,
    end: End,
}

/// What follows the last message.
enum End {
    /// An answer's trailers.
    Trailers(Option<HeaderMap>),
    /// A request's end: why it broke off, for the caller, where it did; and whether the caller still wants
    /// the answers.
    Request(Failure, oneshot::Receiver<Infallible>),
    Done,
}

/// Why the requests could not be sent on: it says more than the reset that the connection reports.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Status>>>);

/// Of a call whose [`Failure`] is kept for as long as its answer is wanted.
pub(super) struct OfCall(Weak<Mutex<Option<Status>>>);

impl OfCall {
    fn has_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Failure {
    /// What is of this call.
    pub(super) fn of_call(&self) -> OfCall {
        OfCall(Arc::downgrade(&self.0))
    }

    /// The reason, where there is one, or else the status.
    pub(super) fn explain(&self, status: Status) -> Status {
        self.0.lock().take().unwrap_or(status)
    }

    fn set(&self, status: Status) {
        *self.0.lock() = Some(status);
    }
}

/// Held while the responses to a request are wanted.
pub(super) type Wanted = oneshot::Sender<Infallible>;

impl Many {
    pub(super) fn answer(
        messages: Streaming<Payload>,
        encoding: Encoding,
        trailers_limit: usize,
        arrival: Arrival,
    ) -> Self {
        let (buffer, end) = (BytesMut::new(), End::Trailers(None));
        Self { messages, buffer, encoding, trailers_limit, arrival, end }
    }

    pub(super) fn request(
        messages: Streaming<Payload>,
        encoding: Encoding,
        failure: Failure,
        unwanted: oneshot::Receiver<Infallible>,
    ) -> Self {
        Self {
            messages,
            buffer: BytesMut::new(),
            encoding,
            trailers_limit: 0,
            arrival: Arrival::default(),
            end: End::Request(failure, unwanted),
        }
    }

    /// Takes what is ready; `Some` once the messages have ended.
    fn fill(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Result<(), Status>>> {
        while self.buffer.len() < COALESCE {
            match self.messages.poll_message(task) {
                Poll::Ready(Some(message)) => {
                    let put =
                        message.and_then(|message| put_message(&mut self.buffer, &message, &self.encoding));
                    if let Err(status) = put {
                        return Poll::Ready(Some(Err(status)));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Some(Ok(()))),
                Poll::Pending if self.buffer.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(None)
    }

    /// Notes how the messages ended: `Err` where the direction must break off rather than end.
    fn finish(&mut self, outcome: Result<(), Status>) -> Result<(), Status> {
        match &mut self.end {
            End::Trailers(trailers) => {
                let metadata = self.messages.take_trailers();
                let ending = status::trailers(outcome.as_ref().map(|()| &metadata), self.trailers_limit);
                self.arrival.end(status::code(&ending));
                *trailers = Some(ending);
            }
            End::Request(failure, _) => {
                if let Err(status) = outcome {
                    failure.set(status.clone().processed());
                    self.end = End::Done;
                    return Err(status);
                }
                self.end = End::Done;
            }
            End::Done => {}
        }
        Ok(())
    }
}

impl Body for Many {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let End::Request(_, unwanted) = &mut this.end
            && Pin::new(unwanted).poll(task).is_ready()
        {
            this.messages = Streaming::empty();
            this.end = End::Done;
            return Poll::Ready(Some(Err(Status::cancelled("the caller wants no answers any more"))));
        }
        if let End::Request(..) | End::Trailers(None) = this.end {
            match this.fill(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {}
                Poll::Ready(Some(outcome)) => {
                    if let Err(status) = this.finish(outcome) {
                        return Poll::Ready(Some(Err(status)));
                    }
                }
            }
        }
        if !this.buffer.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
        }
        Poll::Ready(match std::mem::replace(&mut this.end, End::Done) {
            End::Trailers(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
            End::Trailers(None) | End::Request(..) | End::Done => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.buffer.is_empty() && matches!(self.end, End::Done)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn the_message_of_a_call_that_has_gone_is_not_sent() {
        let request = |failure: &Failure| Single {
            message: Some(Bytes::from_static(b"x")),
            trailers: None,
            call: Some(failure.of_call()),
        };
        let failure = Failure::default();
        let (sent, mut late) = (request(&failure).collect().await.unwrap(), request(&failure));
        assert_eq!(sent.to_bytes(), "x");
        drop(failure);
        let broken = late.frame().await.unwrap().unwrap_err();
        assert_eq!(broken.code(), crate::Code::Cancelled);
        assert!(late.is_end_stream());
    }
}
