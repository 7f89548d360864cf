use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::{
    Connection, RecvStream, SendStream, StreamError,
    fill::{fill, put_message},
    incoming::{Incoming, Refusal},
};
use crate::{
    Code, Codec, Compression, CompressionSet, Context, Metadata, Payload, Response, Status, Streaming, body,
    deadline,
    encoding::Encoding,
    streaming::Event,
    transport::{Limits, Remote},
    wire::{self, Frame, FrameKind, RequestCompression, ResponseHead, StreamCode, Tail, WireError},
};

/// Makes calls on connections: what a transport needs to know of the framing on the calling side.
#[derive(Clone, Debug)]
pub(crate) struct FramedClient {
    /// The codec of calls that name none.
    pub(crate) codec: Codec,
    /// The limits on answers, and on what is sent.
    pub(crate) limits: Limits,
}

/// A call ready to be written: its first bytes, and what follows them.
pub(crate) struct Outgoing {
    first: Bytes,
    rest: Option<Streaming<Payload>>,
    encoding: Encoding,
    unary: bool,
    idempotent: bool,
    remote: Remote,
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

/// What a call's stream begins with, and whether the direction ends with it.
pub(crate) struct FirstWrite {
    bytes: Bytes,
    finish: bool,
}

/// The two directions of a call that has been opened.
pub(crate) type RequestStreams<C> = (<C as Connection>::Send, <C as Connection>::Recv);

impl FramedClient {
    /// Encodes a call of one message, and one answer.
    pub(crate) fn unary(&self, cx: &Context, message: Payload) -> Result<Outgoing, Status> {
        let (mut buffer, encoding) = self.begin(cx, true)?;
        put_message(&mut buffer, &message, &encoding)?;
        wire::put_end(&mut buffer);
        let (idempotent, remote) = (cx.idempotent, Remote::default());
        Ok(Outgoing { first: buffer.freeze(), rest: None, encoding, unary: true, idempotent, remote })
    }

    /// Encodes the beginning of a call of any shape. A single message that is there already travels with
    /// the head.
    pub(crate) fn stream(&self, cx: &Context, messages: Streaming<Payload>) -> Result<Outgoing, Status> {
        let (mut buffer, encoding) = self.begin(cx, false)?;
        let rest = match messages.into_single() {
            Ok(message) => {
                put_message(&mut buffer, &message, &encoding)?;
                wire::put_end(&mut buffer);
                None
            }
            Err(messages) => Some(messages),
        };
        let (idempotent, remote) = (cx.idempotent, Remote::default());
        Ok(Outgoing { first: buffer.freeze(), rest, encoding, unary: false, idempotent, remote })
    }

    fn begin(&self, cx: &Context, unary: bool) -> Result<(BytesMut, Encoding), Status> {
        let limits = &self.limits;
        limits.check_metadata(&cx.metadata).map_err(Status::not_processed)?;
        let timeout = cx.time_left();
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(deadline::exceeded().not_processed());
        }
        let codec = cx.codec.unwrap_or(self.codec);
        let requests =
            cx.compression.map(Compression::supported).transpose().map_err(Status::not_processed)?;
        let compression = RequestCompression { requests, answers: CompressionSet::supported() };
        let limit =
            cx.message_limit.map_or(limits.max_message_bytes, |limit| limit.min(limits.max_message_bytes));
        let mut buffer = BytesMut::with_capacity(256);
        wire::put_request_head(&mut buffer, cx.path(), codec, unary, timeout, compression, &cx.metadata);
        Ok((buffer, Encoding { codec, compression: requests, limit }))
    }
}

impl FirstWrite {
    /// Opens the call's stream. May be repeated with another connection when it fails with
    /// [`StreamError::Lost`] and nothing was processed.
    pub(crate) async fn open<C: Connection>(&self, connection: &C) -> Result<RequestStreams<C>, StreamError> {
        connection.open(self.bytes.clone(), self.finish).await
    }
}

impl Outgoing {
    /// The same call, to this peer, which its failures name.
    pub(crate) fn to(mut self, remote: &Remote) -> Self {
        self.remote = remote.clone();
        self
    }

    /// The same call, where all of it is in the first write.
    pub(crate) fn again(&self) -> Option<Self> {
        let Self { first, rest: None, encoding, unary, idempotent, remote } = self else { return None };
        let (encoding, unary, idempotent) = (*encoding, *unary, *idempotent);
        Some(Self { first: first.clone(), rest: None, encoding, unary, idempotent, remote: remote.clone() })
    }

    /// The first write of the call's stream.
    pub(crate) fn first_write(&self) -> FirstWrite {
        FirstWrite { bytes: self.first.clone(), finish: self.rest.is_none() }
    }

    /// Whether the call may be made twice.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Reads the single answer of a unary call.
    pub(crate) async fn answer<T: SendStream, R: RecvStream>(
        self,
        (send, recv): (T, R),
        limits: &Limits,
    ) -> Result<Response<Payload>, Unanswered> {
        debug_assert!(self.unary);
        let mut answer = self.answers((send, recv), limits);
        let head = answer.head().await;
        let ResponseHead { metadata, compression } = head.map_err(|status| answer.unanswered(status))?;
        let message = answer.next().await?;
        let Some(message) = message else {
            return Err(body::none_came().into());
        };
        match answer.next().await? {
            None => {
                let trailers = std::mem::take(&mut answer.trailers);
                Ok(Response { metadata, message, trailers, compression })
            }
            Some(_) => Err(body::more_came().into()),
        }
    }

    /// Sends what remains to be sent beside reading the answers.
    pub(crate) async fn stream<T: SendStream, R: RecvStream>(
        self,
        streams: (T, R),
        limits: &Limits,
    ) -> Result<Response<Streaming<Payload>>, Unanswered> {
        let mut answers = self.answers(streams, limits);
        let head = answers.head().await;
        let ResponseHead { metadata, compression } = head.map_err(|status| answers.unanswered(status))?;
        let events = futures_util::stream::unfold(Some(answers), |answers| async move {
            let mut answers = answers?;
            match answers.next().await {
                Ok(Some(message)) => Some((Ok(Event::Message(message)), Some(answers))),
                Ok(None) => Some((Ok(Event::Trailers(std::mem::take(&mut answers.trailers))), None)),
                Err(status) => Some((Err(status), None)),
            }
        });
        let response = Response::new(Streaming::from_events(events)).with_metadata(metadata);
        Ok(Response { compression, ..response })
    }

    fn answers<T: SendStream, R: RecvStream>(self, (send, recv): (T, R), limits: &Limits) -> Answers<T, R> {
        let mut incoming = Incoming::new(recv, limits, StreamCode::Cancelled);
        incoming.limit_messages(self.encoding.limit);
        let sending = match self.rest {
            None => Sending::Done(send),
            Some(messages) => Sending::Pumped(tokio::spawn(pump(send, messages, self.encoding))),
        };
        Answers {
            sending,
            incoming,
            codec: self.encoding.codec,
            idempotent: self.idempotent,
            limits: limits.clone(),
            remote: self.remote,
            first: None,
            trailers: Metadata::new(),
            ended: false,
        }
    }
}

/// The answers of a call. Dropped before their end, they cancel it.
struct Answers<T: SendStream, R: RecvStream> {
    sending: Sending<T>,
    incoming: Incoming<R>,
    codec: Codec,
    /// Whether the call may be made twice.
    idempotent: bool,
    limits: Limits,
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
    /// What leads the answer; one that has nothing to say there may leave the head out. A call that failed
    /// before it answered anything fails here.
    async fn head(&mut self) -> Result<ResponseHead, Status> {
        let frame = self.frame().await?;
        match frame.kind {
            FrameKind::Head => {
                let head = ResponseHead::parse(frame.payload).map_err(unaccepted)?;
                self.limits.check_metadata(&head.metadata)?;
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

    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        if self.ended {
            return Ok(None);
        }
        let frame = match self.first.take() {
            Some(first) => first,
            None => self.frame().await?,
        };
        match frame.kind {
            FrameKind::Message => Ok(Some(self.incoming.plain(self.codec, frame.payload))),
            FrameKind::Compressed => self.incoming.decompress(self.codec, &frame.payload).map(Some),
            FrameKind::Head => Err(self.incoming.second_head()),
            FrameKind::End => self.end(frame.payload).map(|()| None),
        }
    }

    fn end(&mut self, payload: Bytes) -> Result<(), Status> {
        self.incoming.close();
        self.ended = true;
        let tail = Tail::parse(payload)?;
        self.limits.check_metadata(&tail.metadata)?;
        self.trailers = tail.into_outcome()?;
        Ok(())
    }

    /// The next frame, while the requests can be sent on.
    async fn frame(&mut self) -> Result<Frame, Status> {
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
                frame = self.incoming.frame() => return frame.map_err(|status| self.lost(status)),
            }
        }
        self.incoming.frame().await.map_err(|status| self.lost(status))
    }

    /// The answer broke off so.
    fn lost(&self, status: Status) -> Status {
        self.remote.lost(broken_off(status, self.idempotent))
    }
}

/// The status of a response that the server broke off. This side did not cancel the call, and it is unknown whether a handler
/// processed it.
fn broken_off(status: Status, idempotent: bool) -> Status {
    let status = match status.code() {
        Code::Cancelled => Status::unavailable(status.message().to_owned()),
        _ => status,
    };
    status.maybe_executed(idempotent)
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
