use std::{fmt, str::FromStr};

use bytes::{BufMut, Bytes, BytesMut};
use rmp_serde::config::BytesMode;
use serde::{Deserialize, Serialize};

use crate::Message;

/// How a message becomes bytes. Independent of the transport: the codec of a call travels in its head,
/// and the server answers in the codec it was asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// Protocol Buffers, gRPC's default: any client in any language.
    #[serde(rename = "protobuf")]
    Protobuf,
    /// MessagePack, the default of our framing. Structs travel as maps of field names, never by
    /// position, so that fields may be added and removed; `bytes` fields travel as MessagePack `bin`.
    #[serde(rename = "msgpack")]
    MessagePack,
}

/// A message that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The message does not encode.
    #[error("message does not encode as {codec}: {reason}")]
    Encode {
        /// The codec that was asked for.
        codec: Codec,
        /// What the codec's library says.
        reason: String,
    },
    /// The bytes do not decode.
    #[error("message does not decode as {codec}: {reason}")]
    Decode {
        /// The codec the bytes claim.
        codec: Codec,
        /// What the codec's library says.
        reason: String,
    },
}

impl Codec {
    /// The name in configuration, on the command line and behind `application/grpc+`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Protobuf => "protobuf",
            Self::MessagePack => "msgpack",
        }
    }

    /// Appends the encoded message.
    ///
    /// # Errors
    /// When the message's own `Serialize` refuses; what was appended until then must be thrown away.
    pub fn encode<M: Message>(self, message: &M, buffer: &mut BytesMut) -> Result<(), CodecError> {
        match self {
            Self::Protobuf => message.encode(buffer).map_err(|error| self.encode_error(&error)),
            Self::MessagePack => message
                .serialize(
                    &mut rmp_serde::Serializer::new(buffer.writer())
                        .with_struct_map()
                        .with_bytes(BytesMode::ForceIterables),
                )
                .map_err(|error| self.encode_error(&error)),
        }
    }

    /// Reads one message that fills the bytes.
    ///
    /// # Errors
    /// When the bytes are not such a message.
    pub fn decode<M: Message>(self, bytes: Bytes) -> Result<M, CodecError> {
        match self {
            Self::Protobuf => M::decode(bytes).map_err(|error| self.decode_error(&error)),
            Self::MessagePack => rmp_serde::from_slice(&bytes).map_err(|error| self.decode_error(&error)),
        }
    }

    fn encode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Encode { codec: self, reason: error.to_string() }
    }

    fn decode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Decode { codec: self, reason: error.to_string() }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec name that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("codec {0:?} is not known; expected `protobuf` or `msgpack`")]
pub struct UnknownCodec(String);

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        match name {
            "protobuf" => Ok(Self::Protobuf),
            "msgpack" => Ok(Self::MessagePack),
            other => Err(UnknownCodec(other.to_owned())),
        }
    }
}
