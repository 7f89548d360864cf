use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::body::Body;

use super::{outgoing::PREFIX, status};
use crate::{Codec, Compression, Limits, Payload, Status, deadline, messages::Messages};

/// The messages that arrive in one direction of a call, and the trailers behind them.
pub(super) struct Incoming {
    body: Body,
    codec: Codec,
    /// What the messages with the flag are compressed with.
    compression: Option<Compression>,
    limit: usize,
    message_timeout: Duration,
    /// What arrived and has not been cut into messages. One chunk is cut without a copy.
    chunk: Bytes,
    partial: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Incoming {
    pub(super) fn new(
        body: Body,
        codec: Codec,
        compression: Option<Compression>,
        limit: usize,
        limits: &Limits,
    ) -> Self {
        let message_timeout = limits.message_timeout;
        Self {
            body,
            codec,
            compression,
            limit,
            message_timeout,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            trailers: None,
        }
    }

    /// The trailers, once the direction has ended.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// The message behind this prefix.
    fn payload(&self, mut message: Bytes) -> Result<Payload, Status> {
        let prefix = message.split_to(PREFIX);
        let compressed = prefix[0] == 1;
        if compressed {
            let compression = self.compression.ok_or_else(|| {
                Status::internal("a message is flagged as compressed, and grpc-encoding names no compression")
            })?;
            message = compression.decompress(&message, self.limit)?;
        }
        Ok(Payload::encoded(self.codec, message).with_uncompressed(!compressed && self.compression.is_some()))
    }

    /// The next message with its prefix, once all of it has arrived.
    fn cut(&mut self) -> Result<Option<Bytes>, Status> {
        if self.partial.is_empty() {
            let Some(total) = self.total(&self.chunk)? else {
                self.keep_partial(usize::MAX);
                return Ok(None);
            };
            if self.chunk.len() >= total {
                return Ok(Some(self.chunk.split_to(total)));
            }
        }
        self.keep_partial(PREFIX);
        let Some(total) = self.total(&self.partial)? else { return Ok(None) };
        self.keep_partial(total);
        if self.partial.len() < total {
            return Ok(None);
        }
        Ok(Some(self.partial.split().freeze()))
    }

    /// Moves what arrived behind what is kept, until that is `length` bytes long. Memory grows with what
    /// arrives, not with what is announced.
    fn keep_partial(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// How long the message at the front is, prefix included; `None` until that has arrived.
    fn total(&self, bytes: &[u8]) -> Result<Option<usize>, Status> {
        let Some((&[flag, a, b, c, d], _)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match flag {
            _ if length > self.limit => Err(Status::resource_exhausted(format!(
                "a message of {length} bytes is larger than the limit of {} bytes",
                self.limit
            ))),
            0 | 1 => Ok(Some(PREFIX + length)),
            _ => Err(Status::internal("a message's first byte is neither 0 nor 1")),
        }
    }

    async fn more(&mut self, begun: Option<Instant>) -> Result<bool, Status> {
        let frame = match begun {
            None => self.body.frame().await,
            Some(begun) => {
                let left = self.message_timeout.saturating_sub(begun.elapsed());
                let frame = async { Ok(self.body.frame().await) };
                deadline::within(left, "a message took too long to arrive", frame).await?
            }
        };
        match frame {
            None => Ok(false),
            Some(Err(error)) => Err(status::from_connection(error)),
            Some(Ok(frame)) => {
                match frame.into_data() {
                    Ok(data) => self.chunk = data,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                }
                Ok(true)
            }
        }
    }
}

impl Messages for Incoming {
    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        let mut begun = None;
        loop {
            if let Some(message) = self.cut()? {
                return self.payload(message).map(Some);
            }
            let amid = !self.partial.is_empty();
            if amid {
                begun = begun.or_else(|| Some(Instant::now()));
            }
            if !self.more(begun).await? {
                return if amid {
                    Err(Status::internal("the direction ended amid a message"))
                } else {
                    Ok(None)
                };
            }
        }
    }
}
