//! The messages of one direction of a call: read from a stream, and written to one.

use std::{future::poll_fn, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::time::Instant;

use super::{RecvStream, StreamError};
use crate::{
    Code, Codec, Compression, Payload, Status, Streaming, deadline,
    encoding::Encoding,
    messages::Messages,
    transport::Limits,
    wire::{self, Frame, FrameKind, FrameReader, StreamCode},
};

/// The frames that arrive in one direction. Dropped before its end, it tells the peer to stop.
pub(super) struct Incoming<R: RecvStream> {
    recv: R,
    reader: FrameReader,
    codec: Codec,
    compression: Option<Compression>,
    message_timeout: Duration,
    on_drop: Option<StreamCode>,
    refusal: Option<Refusal>,
}

/// How a peer, or the loss of its connection, proves that it has not looked at a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is at a limit for the moment.
    ForNow,
    /// The connection takes no more.
    ForGood,
}

impl Refusal {
    fn of(error: &StreamError) -> Option<Self> {
        match error {
            StreamError::Reset(StreamCode::Refused) => Some(Self::ForNow),
            StreamError::Reset(StreamCode::ShuttingDown) => Some(Self::ForGood),
            StreamError::Lost(status) if status.is_not_processed() && status.code() == Code::Unavailable => {
                Some(Self::ForGood)
            }
            _ => None,
        }
    }
}

/// How many bytes a head or an end may have beyond what its metadata may weigh: for the method's path and
/// the other fields.
const HEAD_ROOM: usize = 1 << 10;

impl<R: RecvStream> Incoming<R> {
    /// Reads `recv` within the limits; `on_drop` is what the peer is told when reading ends early.
    pub(super) fn new(recv: R, limits: &Limits, on_drop: StreamCode) -> Self {
        let reader =
            FrameReader::new(limits.max_message_bytes, limits.max_metadata_bytes.saturating_add(HEAD_ROOM));
        let message_timeout = limits.message_timeout;
        Self {
            recv,
            reader,
            codec: Codec::Protobuf,
            compression: None,
            message_timeout,
            on_drop: Some(on_drop),
            refusal: None,
        }
    }

    /// Returns once the stream cannot be a replay.
    pub(super) async fn proven(&mut self) -> Result<(), Status> {
        match self.recv.early() {
            None => Ok(()),
            Some(proof) => Ok(proof.await?),
        }
    }

    /// Why reading failed, where that proves that the peer has not looked at the stream.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    pub(super) fn limit_messages(&mut self, limit: usize) {
        self.reader.limit_messages(limit);
    }

    /// The codec of the messages, which the head has named.
    pub(super) fn decode(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Decompresses the messages that say so with this, which the head has named.
    ///
    /// # Errors
    /// `Unimplemented` where this build does not know it.
    pub(super) fn decompress_with(&mut self, compression: Option<Compression>) -> Result<(), Status> {
        let supported = compression.map(Compression::supported).transpose();
        self.compression = supported.inspect_err(|_| self.on_drop = Some(StreamCode::ProtocolError))?;
        Ok(())
    }

    /// The first byte of the stream.
    pub(super) async fn kind(&mut self) -> Result<u8, Status> {
        loop {
            if let Some(kind) = self.reader.take_kind() {
                return Ok(kind);
            }
            let chunk = self.recv.read().await;
            self.take(chunk)?;
        }
    }

    /// The next frame, which must come: a direction ends with an explicit end frame, for a dropped QUIC
    /// stream ends cleanly, and so an end of file alone proves nothing.
    pub(super) async fn frame(&mut self) -> Result<Frame, Status> {
        let mut begun = None;
        loop {
            if let Some(frame) =
                self.reader.next_frame().inspect_err(|_| self.on_drop = Some(StreamCode::ProtocolError))?
            {
                return Ok(frame);
            }
            // Between frames a stream may rest, also behind one that was skipped.
            begun = self.reader.is_amid_frame().then(|| begun.unwrap_or_else(Instant::now));
            let chunk = match begun {
                None => self.recv.read().await,
                // Boxed, so that the less common kind does not make every call's future larger.
                Some(begun) => Box::pin(self.read_amid_frame(begun)).await?,
            };
            self.take(chunk)?;
        }
    }

    /// The message of a frame that is not compressed.
    pub(super) fn plain(&self, message: Bytes) -> Payload {
        Payload::encoded(self.codec, message).with_uncompressed(self.compression.is_some())
    }

    /// The message of a compressed frame.
    pub(super) fn decompress(&mut self, data: &[u8]) -> Result<Payload, Status> {
        let none = || Status::internal("a message is compressed, and its direction's head does not say how");
        let message = self
            .compression
            .ok_or_else(none)
            .and_then(|compression| compression.decompress(data, self.reader.message_limit()))
            .inspect_err(|_| self.on_drop = Some(StreamCode::ProtocolError))?;
        Ok(Payload::encoded(self.codec, message))
    }

    pub(super) fn second_head(&mut self) -> Status {
        self.on_drop = Some(StreamCode::ProtocolError);
        Status::internal("a second head arrived")
    }

    /// Reads the end of the stream behind its end frame where it has arrived already, as it has as a
    /// rule. A QUIC stream dropped before that would cost a `STOP_SENDING`.
    pub(super) fn close(&mut self) {
        self.on_drop = match self.recv.read().now_or_never() {
            Some(_) => None,
            None => Some(StreamCode::NoError),
        };
    }

    /// What arrives next of a frame that began to arrive then.
    async fn read_amid_frame(
        &mut self,
        begun: Instant,
    ) -> Result<Result<Option<Bytes>, StreamError>, Status> {
        let left = self.message_timeout.saturating_sub(begun.elapsed());
        let chunk = self.recv.read().map(Ok);
        deadline::within(left, "a message took too long to arrive", chunk).await
    }

    fn take(&mut self, chunk: Result<Option<Bytes>, StreamError>) -> Result<(), Status> {
        match chunk {
            Ok(Some(chunk)) => {
                self.reader.push(chunk);
                Ok(())
            }
            Ok(None) => {
                self.on_drop = None;
                Err(Status::internal("the stream ended before its end frame"))
            }
            Err(error) => {
                self.on_drop = None;
                self.refusal = Refusal::of(&error);
                Err(error.into())
            }
        }
    }
}

/// The messages of a caller, up to its end frame.
impl<R: RecvStream> Messages for Incoming<R> {
    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        let frame = self.frame().await?;
        match frame.kind {
            FrameKind::Message => Ok(Some(self.plain(frame.payload))),
            FrameKind::Compressed => self.decompress(&frame.payload).map(Some),
            FrameKind::End => {
                self.close();
                wire::parse_end(frame.payload)?;
                Ok(None)
            }
            FrameKind::Head => Err(self.second_head()),
        }
    }
}

impl<R: RecvStream> Drop for Incoming<R> {
    fn drop(&mut self) {
        if let Some(code) = self.on_drop {
            self.recv.stop(code);
        }
    }
}

/// Past this many bytes a write takes what it has. Small messages that are ready together share a write:
/// packets are the cost, not bytes.
const COALESCE: usize = 16 << 10;

/// Waits for the next message, appends it and those that are ready behind it; true at the stream's end.
///
/// # Errors
/// The status that ended the stream. Messages before it are in the buffer.
pub(super) async fn fill(
    messages: &mut Streaming<Payload>,
    buffer: &mut BytesMut,
    encoding: &Encoding,
) -> Result<bool, Status> {
    poll_fn(|task| {
        loop {
            match messages.poll_message(task) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(status) = put_message(buffer, &message, encoding) {
                        return Poll::Ready(Err(status));
                    }
                    if buffer.len() >= COALESCE {
                        return Poll::Ready(Ok(false));
                    }
                }
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
                Poll::Ready(None) => return Poll::Ready(Ok(true)),
                Poll::Pending if buffer.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(false)),
            }
        }
    })
    .await
}

/// Appends the message as a frame.
pub(super) fn put_message(
    buffer: &mut BytesMut,
    message: &Payload,
    encoding: &Encoding,
) -> Result<(), Status> {
    let compression = encoding.compression_of(message);
    wire::put_compressible_message(buffer, encoding.limit, compression, |buffer| {
        encoding.encode(message, buffer)
    })
}
