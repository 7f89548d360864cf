use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::{Connection, RecvStream, SendStream, StreamError, fill::fill, incoming::Incoming};
use crate::{
    Codec, Context, Metadata, Payload, Response, Status, Streaming, body, deadline,
    streaming::Event,
    transport::Limits,
    wire::{self, Frame, FrameKind, ResponseHead, StreamCode, Tail},
};

/// Makes calls on connections: what a transport needs to know of the framing on the calling side.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The codec of calls that name none.
    pub(crate) codec: Codec,
    /// The limits on answers, and on what is sent.
    pub(crate) limits: Limits,
}

/// A call ready to be written: its first bytes, and what follows them.
pub(crate) struct Outgoing {
    first: Bytes,
    rest: Option<Streaming<Payload>>,
    codec: Codec,
    unary: bool,
    limit: usize,
}

/// What a call's stream begins with, and whether the direction ends with it.
pub(crate) struct FirstWrite {
    bytes: Bytes,
    finish: bool,
}

/// The two directions of a call that has been opened.
pub(crate) type RequestStreams<C> = (<C as Connection>::Send, <C as Connection>::Recv);

impl Requester {
    /// Encodes a call of one message, and one answer.
    pub(crate) fn unary(&self, cx: Context, message: Payload) -> Result<Outgoing, Status> {
        let (mut buffer, codec, limit) = self.begin(&cx, true)?;
        wire::put_message(&mut buffer, limit, |buffer| message.encode(codec, buffer))?;
        wire::put_end(&mut buffer);
        Ok(Outgoing { first: buffer.freeze(), rest: None, codec, unary: true, limit })
    }

    /// Encodes the beginning of a call of any shape. A single message that is there already travels with
    /// the head.
    pub(crate) fn stream(&self, cx: Context, messages: Streaming<Payload>) -> Result<Outgoing, Status> {
        let (mut buffer, codec, limit) = self.begin(&cx, false)?;
        let rest = match messages.into_single() {
            Ok(message) => {
                wire::put_message(&mut buffer, limit, |buffer| message.encode(codec, buffer))?;
                wire::put_end(&mut buffer);
                None
            }
            Err(messages) => Some(messages),
        };
        Ok(Outgoing { first: buffer.freeze(), rest, codec, unary: false, limit })
    }

    fn begin(&self, cx: &Context, unary: bool) -> Result<(BytesMut, Codec, usize), Status> {
        let limits = &self.limits;
        limits.check_metadata(&cx.metadata).map_err(Status::not_processed)?;
        let timeout = cx.time_left();
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(deadline::exceeded().not_processed());
        }
        let codec = cx.codec.unwrap_or(self.codec);
        let limit =
            cx.message_limit.map_or(limits.max_message_bytes, |limit| limit.min(limits.max_message_bytes));
        let mut buffer = BytesMut::with_capacity(256);
        wire::put_request_head(&mut buffer, cx.path(), codec, unary, timeout, &cx.metadata);
        Ok((buffer, codec, limit))
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
    /// The same call, where all of it is in the first write.
    pub(crate) fn again(&self) -> Option<Self> {
        let Self { first, rest: None, codec, unary, limit } = self else { return None };
        Some(Self { first: first.clone(), rest: None, codec: *codec, unary: *unary, limit: *limit })
    }

    /// The first write of the call's stream.
    pub(crate) fn first_write(&self) -> FirstWrite {
        FirstWrite { bytes: self.first.clone(), finish: self.rest.is_none() }
    }

    /// Reads the single answer of a unary call.
    pub(crate) async fn answer<T: SendStream, R: RecvStream>(
        self,
        (send, recv): (T, R),
        limits: &Limits,
    ) -> Result<Response<Payload>, Status> {
        debug_assert!(self.unary);
        let mut answer = self.answers((send, recv), limits);
        let metadata = answer.head().await?;
        let message = answer.next().await?;
        let Some(message) = message else {
            return Err(body::none_came());
        };
        match answer.next().await? {
            None => Ok(Response { metadata, message, trailers: std::mem::take(&mut answer.trailers) }),
            Some(_) => Err(body::more_came()),
        }
    }

    /// Sends what remains to be sent beside reading the answers.
    pub(crate) async fn stream<T: SendStream, R: RecvStream>(
        self,
        streams: (T, R),
        limits: &Limits,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let mut answers = self.answers(streams, limits);
        let metadata = answers.head().await?;
        let events = futures_util::stream::unfold(Some(answers), |answers| async move {
            let mut answers = answers?;
            match answers.next().await {
                Ok(Some(message)) => Some((Ok(Event::Message(message)), Some(answers))),
                Ok(None) => Some((Ok(Event::Trailers(std::mem::take(&mut answers.trailers))), None)),
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(Streaming::from_events(events)).with_metadata(metadata))
    }

    fn answers<T: SendStream, R: RecvStream>(self, (send, recv): (T, R), limits: &Limits) -> Answers<T, R> {
        let mut incoming = Incoming::new(recv, limits, StreamCode::Cancelled);
        incoming.limit_messages(self.limit);
        let sending = match self.rest {
            None => Sending::Done(send),
            Some(messages) => Sending::Pumped(tokio::spawn(pump(send, messages, self.codec, self.limit))),
        };
        Answers {
            sending,
            incoming,
            codec: self.codec,
            limits: limits.clone(),
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
    limits: Limits,
    /// The first message, where the answer has no head.
    first: Option<Bytes>,
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
    /// The leading metadata; an answer without any may leave the head out. A call that failed before it
    /// answered anything fails here.
    async fn head(&mut self) -> Result<Metadata, Status> {
        let frame = self.frame().await?;
        match frame.kind {
            FrameKind::Head => {
                let metadata = ResponseHead::parse(frame.payload)?.metadata;
                self.limits.check_metadata(&metadata)?;
                return Ok(metadata);
            }
            FrameKind::Message => self.first = Some(frame.payload),
            FrameKind::End => self.end(frame.payload)?,
        }
        Ok(Metadata::new())
    }

    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        if let Some(first) = self.first.take() {
            return Ok(Some(Payload::encoded(self.codec, first)));
        }
        if self.ended {
            return Ok(None);
        }
        let frame = self.frame().await?;
        match frame.kind {
            FrameKind::Message => Ok(Some(Payload::encoded(self.codec, frame.payload))),
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
                frame = self.incoming.frame() => return frame,
            }
        }
        self.incoming.frame().await
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

/// Sends the requests of a stream as they come.
async fn pump<T: SendStream>(
    send: T,
    mut messages: Streaming<Payload>,
    codec: Codec,
    limit: usize,
) -> Result<(), Unsent<T>> {
    let mut stream = ResetOnDrop { send, ended: false };
    let mut buffer = BytesMut::new();
    loop {
        let end = match fill(&mut messages, &mut buffer, codec, limit).await {
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
