use std::{future::Future, pin::Pin};

use bytes::Bytes;

use crate::{
    Status,
    transport::NetworkPath,
    wire::{ConnectionCode, StreamCode},
};

/// A connection that carries bidirectional streams of bytes.
///
/// Its streams do what QUIC's do ([RFC 9000](https://www.rfc-editor.org/rfc/rfc9000#section-2), sections 2 and
/// 3): each has two directions with a flow control of their own; a direction ends cleanly, or is reset by its
/// writer or stopped by its reader, with a code. A connection that is dropped with all of its streams is closed,
/// and the peer learns of it.
pub trait Connection: Send + Sync + 'static {
    /// The direction that is written.
    type Send: SendStream;
    /// The direction that is read.
    type Recv: RecvStream;

    /// Opens a stream and writes its first bytes, and ends the direction with them where `finish` says
    /// so. The raw stream is never in the caller's hands before its first write, so that an
    /// implementation may open, write and finish many that are ready in one go.
    ///
    /// A peer that stops reading during this write is no error: its answer tells why.
    ///
    /// # Errors
    /// [`StreamError::Lost`] when no stream could be opened, or the connection was lost amid the write.
    ///
    /// # Cancel safety
    /// A dropped future leaves no open stream behind.
    fn open(
        &self,
        first: Bytes,
        finish: bool,
    ) -> impl Future<Output = Result<(Self::Send, Self::Recv), StreamError>> + Send;

    /// Accepts the next stream that the peer opens.
    ///
    /// # Errors
    /// When the connection is over.
    ///
    /// # Cancel safety
    /// Safe: a stream is taken only by the call that returns it.
    fn accept(&self) -> impl Future<Output = Result<(Self::Send, Self::Recv), StreamError>> + Send;

    /// Ends the connection and tells the peer why; the reason is for people, and short.
    fn close(&self, code: ConnectionCode, reason: &str);

    /// Returns once the peer has been told of a [`close`](Self::close), or cannot be told.
    ///
    /// # Cancel safety
    /// Safe: the peer may then not be told where the process ends at once.
    fn closed(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// While what is written travels as early data, which an attacker can send to the peer again: the end of
    /// that, after which calls go that must not be repeated. `None` once it is over, and where there is no such
    /// thing.
    fn early(&self) -> Option<Proof> {
        None
    }

    /// The way that packets to the peer take now, where that is known.
    fn path(&self) -> Option<NetworkPath> {
        None
    }
}

/// Resolves once it is certain that the peer is alive, and that nothing on the connection is a replay of what
/// was sent on another.
///
/// # Errors
/// When the connection was lost before.
pub type Proof = Pin<Box<dyn Future<Output = Result<(), StreamError>> + Send>>;

/// The direction of a stream that is written.
pub trait SendStream: Send + 'static {
    /// Writes all of the bytes, waiting for the peer's flow control.
    ///
    /// # Errors
    /// [`StreamError::Stopped`] when the peer wants no more, [`StreamError::Lost`] when the connection is
    /// gone.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send;

    /// Writes what the peer's flow control lets through at once, and takes it off the front.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError>;

    /// Writes all of the bytes and ends the direction with them. An implementation may put off doing so
    /// until it has more to write, so success says nothing of what has become of them.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn end(&mut self, last: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send {
        async {
            self.write(last).await?;
            self.finish();
            Ok(())
        }
    }

    /// Ends the direction after what was written.
    fn finish(&mut self);

    /// Gives the direction up.
    fn reset(&mut self, code: StreamCode);

    /// Returns when the peer wants no more of this direction, or the connection is gone; never, where
    /// the direction ends well.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static;
}

/// The direction of a stream that is read.
pub trait RecvStream: Send + 'static {
    /// The next bytes; `None` at the end of the direction.
    ///
    /// # Errors
    /// [`StreamError::Reset`] when the peer gave the direction up, [`StreamError::Lost`] when the
    /// connection is gone.
    ///
    /// # Cancel safety
    /// Safe: bytes are taken only by the call that returns them.
    fn read(&mut self) -> impl Future<Output = Result<Option<Bytes>, StreamError>> + Send;

    /// The proof that is still to come, where the stream arrived as early data and may be a replay: only calls of
    /// idempotent methods go on without it.
    fn early(&self) -> Option<Proof> {
        None
    }

    /// Tells the peer that no more is wanted.
    fn stop(&mut self, code: StreamCode);
}

/// Why a stream cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StreamError {
    /// The peer gave up the direction it writes.
    #[error("the peer reset the stream ({0:?})")]
    Reset(StreamCode),
    /// The peer wants no more of the direction it reads.
    #[error("the peer stopped the stream ({0:?})")]
    Stopped(StreamCode),
    /// The connection is gone. The status says why, and whether nothing was processed for certain.
    #[error("{0}")]
    Lost(Status),
}

impl From<StreamError> for Status {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Lost(status) => status,
            StreamError::Reset(code) | StreamError::Stopped(code) => match code {
                StreamCode::Refused => {
                    Self::unavailable("the peer refused the call at a limit").not_processed()
                }
                StreamCode::ShuttingDown => Self::unavailable("the peer is shutting down").not_processed(),
                StreamCode::ProtocolError => Self::internal("the peer did not understand what it was sent"),
                StreamCode::NoError | StreamCode::Cancelled => Self::cancelled("the peer broke the call off"),
            },
        }
    }
}
