use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::{
    Connection, RecvStream, SendStream, StreamError,
    body::{Incoming, Refusal, fill, put_message},
};
use crate::{
    CompressionSet, Context, Metadata, Payload, Response, Status, Streaming,
    encoding::Encoding,
    messages::{self, Messages},
    transport::{Departure, Limits, Outbound, Remote, broken_off, check_metadata_weight},
    wire::{self, Frame, FrameKind, RequestCompression, ResponseHead, StreamCode, Tail, WireError},
};

/// A call ready to be written: its first bytes, and how its answer is read.
pub(crate) struct Outgoing {
    first: Bytes,
    /// Whether all of the request is in the first bytes.
    whole: bool,
    encoding: Encoding,
    idempotent: bool,
}

/// Why an opened call got no answer.
pub(crate) enum Unanswered {
    /// The peer certainly did not look at it.
    Refused(Refusal, Status),
    /// It broke off, or the answer was a failure.
    Failed(Status),
}

impl From<Status> for Unanswered {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl From<Unanswered> for Status {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused(_, status) | Unanswered::Failed(status) => status,
        }
    }
}

/// The two directions of a call that has been opened.
pub(crate) type RequestStreams<C> = (<C as Connection>::Send, <C as Connection>::Recv);

impl Outgoing {
    /// Encodes a call of one message, and one answer.
    pub(crate) fn unary(outbound: &Outbound, cx: &Context, message: &Payload) -> Result<Self, Status> {
        let (mut buffer, encoding) = begin(outbound, cx, true)?;
        put_message(&mut buffer, message, &encoding)?;
        wire::put_end(&mut buffer);
        Ok(Self { first: buffer.freeze(), whole: true, encoding, idempotent: cx.idempotent })
    }

    /// Encodes the beginning of a call of any shape, and returns what follows it. A single message that is there already
    /// travels with the head.
    pub(crate) fn streaming(
        outbound: &Outbound,
        cx: &Context,
        messages: Streaming<Payload>,
    ) -> Result<(Self, Option<Streaming<Payload>>), Status> {
        let (mut buffer, encoding) = begin(outbound, cx, false)?;
        let rest = match messages.into_single() {
            Ok(message) => {
                put_message(&mut buffer, &message, &encoding)?;
                wire::put_end(&mut buffer);
                None
            }
            Err(messages) => Some(messages),
        };
        let (first, idempotent) = (buffer.freeze(), cx.idempotent);
        Ok((Self { first, whole: rest.is_none(), encoding, idempotent }, rest))
    }
}

/// How much room a request has beside its path before its buffer grows, in bytes: for the head's other fields and a small
/// message.
const FIRST: usize = 128;

/// The head of a call, and how its messages follow.
fn begin(outbound: &Outbound, cx: &Context, unary: bool) -> Result<(BytesMut, Encoding), Status> {
    let Departure { encoding, timeout } = outbound.depart(cx)?;
    let compression =
        RequestCompression { requests: encoding.compression, answers: CompressionSet::supported() };
    let mut buffer = BytesMut::with_capacity(FIRST + cx.path().len());
    wire::put_request_head(&mut buffer, cx.path(), encoding.codec, unary, timeout, compression, &cx.metadata);
    Ok((buffer, encoding))
}

impl Outgoing {
    /// Opens the call's stream. May be repeated with another connection when it fails with
    /// [`StreamError::Lost`] and nothing was processed.
    pub(crate) fn open<C: Connection>(
        &self,
        connection: &C,
    ) -> impl Future<Output = Result<RequestStreams<C>, StreamError>> + Send {
        connection.open(self.first.clone(), self.whole)
    }

    /// Whether the call may be made twice.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// What the peer answers, whose failures name it; the rest of the requests is sent beside reading.
    pub(crate) fn answers<T: SendStream, R: RecvStream>(
        &self,
        (send, recv): (T, R),
        rest: Option<Streaming<Payload>>,
        limits: &Limits,
        remote: &Remote,
    ) -> Answers<T, R> {
        let mut incoming = Incoming::new(recv, limits, StreamCode::Cancelled);
        incoming.limit_messages(self.encoding.limit);
        incoming.decode(self.encoding.codec);
        let sending = match rest {
            None => Sending::Done(send),
            Some(messages) => Sending::Pumped(tokio::spawn(pump(send, messages, self.encoding.clone()))),
        };
        Answers {
            sending,
            incoming,
            idempotent: self.idempotent,
            max_metadata_bytes: limits.max_metadata_bytes,
            remote: remote.clone(),
            first: None,
            trailers: Metadata::new(),
            ended: false,
        }
    }
}

/// The answers of a call. Dropped before their end, they cancel it.
pub(crate) struct Answers<T: SendStream, R: RecvStream> {
    sending: Sending<T>,
    incoming: Incoming<R>,
    /// Whether the call may be made twice.
    idempotent: bool,
    max_metadata_bytes: usize,
    remote: Remote,
    /// The first message, where the answer has no head.
    first: Option<Frame>,
    trailers: Metadata,
    ended: bool,
}

enum Sending<T: SendStream> {
    Done(T),
    Pumped(JoinHandle<Result<(), Unsent<T>>>),
    Over,
}

/// Why the requests could not be sent on. It comes with the stream, so that the call has failed for this
/// reason before the peer learns that it has.
struct Unsent<T: SendStream> {
    reason: Status,
    _stream: ResetOnDrop<T>,
}

impl<T: SendStream, R: RecvStream> Answers<T, R> {
    /// The single answer of a unary call.
    pub(crate) async fn single(&mut self) -> Result<Response<Payload>, Unanswered> {
        let head = self.head().await;
        let ResponseHead { metadata, compression } = head.map_err(|status| self.unanswered(status))?;
        let message = messages::single(self).await?;
        let trailers = self.take_trailers();
        Ok(Response { metadata, message, trailers, compression })
    }

    /// The answers of a call of any shape.
    pub(crate) async fn streaming(mut self) -> Result<Response<Streaming<Payload>>, Unanswered> {
        let head = self.head().await;
        let ResponseHead { metadata, compression } = head.map_err(|status| self.unanswered(status))?;
        let response = Response::new(messages::streaming(self, None)).with_metadata(metadata);
        Ok(Response { compression, ..response })
    }

    /// What leads the answer; one that has nothing to say there may leave the head out. A call that failed
    /// before it answered anything fails here.
    async fn head(&mut self) -> Result<ResponseHead, Status> {
        let frame = self.frame().await?;
        match frame.kind {
            FrameKind::Head => {
                let head = ResponseHead::parse(frame.payload).map_err(unaccepted)?;
                check_metadata_weight(head.metadata.weight(), self.max_metadata_bytes)?;
                self.incoming.decompress_with(head.compression)?;
                return Ok(head);
            }
            FrameKind::Message | FrameKind::Compressed => self.first = Some(frame),
            FrameKind::End => self.end(frame.payload)?,
        }
        Ok(ResponseHead::default())
    }

    /// What a call has failed of that was not answered at all.
    fn unanswered(&self, status: Status) -> Unanswered {
        match self.incoming.refusal() {
            Some(refusal) => Unanswered::Refused(refusal, status),
            None => Unanswered::Failed(status),
        }
    }

    fn end(&mut self, payload: Bytes) -> Result<(), Status> {
        self.incoming.close();
        self.ended = true;
        let tail = Tail::parse(payload)?;
        check_metadata_weight(tail.metadata.weight(), self.max_metadata_bytes)?;
        self.trailers = tail.into_outcome()?;
        Ok(())
    }

    /// The message of a frame; `None` at the end.
    fn message(&mut self, frame: Frame) -> Result<Option<Payload>, Status> {
        match frame.kind {
            FrameKind::Message => Ok(Some(self.incoming.plain(frame.payload))),
            FrameKind::Compressed => self.incoming.decompress(&frame.payload).map(Some),
            FrameKind::Head => Err(self.incoming.second_head()),
            FrameKind::End => self.end(frame.payload).map(|()| None),
        }
    }

    /// The next frame, while the requests can be sent on.
    async fn frame(&mut self) -> Result<Frame, Status> {
        let frame = match self.sending {
            // Boxed, so that it does not make a unary call's future larger.
            Sending::Pumped(_) => Box::pin(self.frame_beside_sending()).await?,
            Sending::Done(_) | Sending::Over => self.incoming.frame().await,
        };
        frame.map_err(|status| self.lost(status))
    }

    /// The next frame, unless the requests end in a failure before it comes.
    async fn frame_beside_sending(&mut self) -> Result<Result<Frame, Status>, Status> {
        if let Sending::Pumped(pump) = &mut self.sending {
            tokio::select! {
                biased;
                sent = pump => {
                    self.sending = Sending::Over;
                    match sent {
                        Ok(sent) => sent.map_err(|unsent| unsent.reason)?,
                        Err(_) => return Err(Status::internal("the stream of requests panicked")),
                    }
                }
                frame = self.incoming.frame() => return Ok(frame),
            }
        }
        Ok(self.incoming.frame().await)
    }

    /// The answer broke off so.
    fn lost(&self, status: Status) -> Status {
        self.remote.lost(broken_off(status, self.idempotent))
    }
}

impl<T: SendStream, R: RecvStream> Messages for Answers<T, R> {
    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        if self.ended {
            return Ok(None);
        }
        if let Some(first) = self.first.take() {
            return self.message(first);
        }
        let frame = self.frame().await?;
        self.message(frame)
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.trailers)
    }
}

impl<T: SendStream, R: RecvStream> Drop for Answers<T, R> {
    fn drop(&mut self) {
        match &mut self.sending {
            // Aborting drops the pump's stream, which resets it.
            Sending::Pumped(pump) => pump.abort(),
            Sending::Done(send) if !self.ended => send.reset(StreamCode::Cancelled),
            Sending::Done(_) | Sending::Over => {}
        }
    }
}

/// An answer that is compressed as no answer should be is the server's mistake.
fn unaccepted(error: WireError) -> Status {
    match error {
        WireError::UnknownCompression(_) => Status::internal(error.to_string()),
        error => error.into(),
    }
}

/// Sends the requests of a stream as they come.
async fn pump<T: SendStream>(
    send: T,
    mut messages: Streaming<Payload>,
    encoding: Encoding,
) -> Result<(), Unsent<T>> {
    let mut stream = ResetOnDrop { send, ended: false };
    let mut buffer = BytesMut::new();
    loop {
        let end = match fill(&mut messages, &mut buffer, &encoding).await {
            Ok(end) => end,
            // Whatever it says of the call it comes from, of this one something was sent.
            Err(reason) => return Err(Unsent { reason: reason.processed(), _stream: stream }),
        };
        if end {
            wire::put_end(&mut buffer);
        }
        if stream.send.write(buffer.split().freeze()).await.is_err() {
            // The answer tells why the peer wants no more.
            return Ok(());
        }
        if end {
            stream.send.finish();
            stream.ended = true;
            return Ok(());
        }
    }
}

/// A direction that was not ended must not look as if it were.
struct ResetOnDrop<T: SendStream> {
    send: T,
    ended: bool,
}

impl<T: SendStream> Drop for ResetOnDrop<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.send.reset(StreamCode::Cancelled);
        }
    }
}
