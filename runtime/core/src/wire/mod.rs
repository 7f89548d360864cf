//! The framing that every transport with byte streams shares: pure functions over buffers, without IO and
//! without a clock. `proto/WIRE.md` specifies it; the names here are the names there.
//!
//! One bidirectional stream is one call. Each direction is a sequence of frames; nothing that arrives can
//! panic, and no length that arrives allocates before it has been checked against a limit.

mod code;
mod field;
mod frame;
mod head;
mod tail;
mod varint;

pub use code::{ConnectionCode, StreamCode};
pub use frame::{Frame, FrameKind, FrameReader, put_compressible_message, put_end, put_message};
pub use head::{RequestCompression, RequestHead, ResponseHead, put_request_head, put_response_head};
pub use tail::{Tail, parse_end, put_tail};
#[cfg(feature = "mux")]
pub(crate) use varint::peek_varint;
pub use varint::{put_varint, take_varint};

use crate::{Codec, Status};

/// The first byte of a stream that is a call. Every other value is reserved.
pub const CALL: u8 = 0x01;

/// What is wrong with bytes that arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The stream is of a kind that this side does not know.
    #[error("a stream of kind {0:#04x} is not known; a call is kind 0x01")]
    UnknownKind(u8),
    /// A frame that must be understood and is not.
    #[error("a frame of type {0:#04x} must be understood and is not known")]
    UnknownFrame(u8),
    /// A field that must be understood and is not.
    #[error("a field with tag {tag:#04x} of the {of} must be understood and is not known")]
    UnknownField {
        /// The tag.
        tag: u8,
        /// What it is a field of.
        of: &'static str,
    },
    /// The messages are in a codec that this side does not know.
    #[error("codec {0:#04x} is not known; protobuf is 0x00, MessagePack 0x01")]
    UnknownCodec(u8),
    /// The messages have an unknown compression.
    #[error("compression {0:#04x} is not known; gzip is 0x01, zstd 0x02")]
    UnknownCompression(u8),
    /// Something is larger than this side takes.
    #[error("a {what} of {size} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How large it is, in bytes.
        size: u64,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// Bytes that cannot be what their place says they are.
    #[error("{0}")]
    Malformed(&'static str),
}

impl From<WireError> for Status {
    fn from(error: WireError) -> Self {
        let message = error.to_string();
        match error {
            WireError::TooLarge { .. } => Self::resource_exhausted(message),
            WireError::UnknownCodec(_) => Self::codec_refused(message, &Codec::ALL),
            WireError::UnknownKind(_)
            | WireError::UnknownFrame(_)
            | WireError::UnknownField { .. }
            | WireError::UnknownCompression(_) => Self::unimplemented(message),
            WireError::Malformed(_) => Self::internal(message),
        }
    }
}

/// What a connection that was closed so means to its calls.
impl From<ConnectionCode> for Status {
    fn from(code: ConnectionCode) -> Self {
        let status = match code {
            ConnectionCode::Denied => Self::permission_denied(code.to_string()),
            _ => Self::unavailable(code.to_string()),
        };
        if code.is_not_processed() { status.not_processed() } else { status }
    }
}
