mod layout;
mod refusal;
mod rewriting;
mod tracing;

use std::{fmt, str::FromStr};

use bytes::{BufMut, Bytes, BytesMut};
use rmp_serde::{config::BytesMode, decode::ReadRefReader};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{Message, truncated};

/// How a message becomes bytes. Independent of the transport: the codec of a call travels in its head,
/// and the server answers in the codec it was asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// Protocol Buffers, gRPC's default: any client in any language.
    #[serde(rename = "protobuf")]
    Protobuf,
    /// MessagePack, the default of our framing. Structs travel as maps of field names, never by
    /// position, so that fields may be added and removed; `bytes` fields travel as MessagePack `bin`, whatever their
    /// type. A field that is not there has protobuf's default, also where its type does not say `#[serde(default)]`; not
    /// so where a type's own `Deserialize` takes no values that are made up, or the field is neither one of protobuf's
    /// types nor a struct.
    #[serde(rename = "msgpack")]
    MessagePack,
}

/// How deep MessagePack may nest: what prost allows protobuf, so that no message exhausts the stack.
const MAX_DEPTH: usize = 100;

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
    /// Every codec that is known here.
    pub(crate) const ALL: [Self; 2] = [Self::Protobuf, Self::MessagePack];

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
            Self::MessagePack => {
                let start = buffer.len();
                message
                    .serialize(
                        &mut rmp_serde::Serializer::new((&mut *buffer).writer())
                            .with_struct_map()
                            .with_bytes(BytesMode::ForceIterables),
                    )
                    .map_err(|error| self.encode_error(&error))?;
                mend_empty_bytes::<M>(buffer, start);
                Ok(())
            }
        }
    }

    /// Reads one message that fills the bytes.
    ///
    /// # Errors
    /// When the bytes are not such a message.
    pub fn decode<M: Message>(self, bytes: Bytes) -> Result<M, CodecError> {
        match self {
            Self::Protobuf => M::decode(bytes).map_err(|error| self.decode_error(&error)),
            Self::MessagePack => match unpack(&bytes) {
                Ok(message) => Ok(message),
                Err(error) => completed(&bytes, &error).ok_or_else(|| self.decode_error(&error)),
            },
        }
    }

    fn encode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Encode { codec: self, reason: error.to_string() }
    }

    fn decode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Decode { codec: self, reason: truncated::reason(error) }
    }
}

/// How MessagePack begins an array of nothing.
const EMPTY_ARRAY: u8 = 0x90;

/// Bytes whose type does not say that they are, as those of a `Vec<u8>`, are told by the first of them: where there is
/// none, the type is asked what they are.
fn mend_empty_bytes<M: Message>(buffer: &mut BytesMut, start: usize) {
    let written = &buffer[start..];
    if !written.contains(&EMPTY_ARRAY) {
        return;
    }
    let Some(layout) = layout::of::<M>().filter(|layout| layout.has_loose_bytes) else { return };
    if let Some(mended) = rewriting::rewrite(&layout, written, false, 10 * MAX_DEPTH) {
        buffer.truncate(start);
        buffer.extend_from_slice(&mended);
    }
}

/// One message that fills the bytes.
fn unpack<M: Message>(bytes: &[u8]) -> Result<M, rmp_serde::decode::Error> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(MAX_DEPTH);
    let message = M::deserialize(&mut reader)?;
    if is_at_end(&mut reader) {
        Ok(message)
    } else {
        Err(serde::de::Error::custom("bytes follow the message"))
    }
}

/// Apart from the types of messages, as there are many of them.
fn is_at_end(reader: &mut rmp_serde::Deserializer<ReadRefReader<'_, [u8]>>) -> bool {
    matches!(IgnoredAny::deserialize(reader), Err(rmp_serde::decode::Error::InvalidMarkerRead(_)))
}

/// The message with the fields that it does not have, as protobuf would have them, where that is why it was not read: a
/// peer of another version does not know them, and the type does not say `#[serde(default)]`.
fn completed<M: Message>(bytes: &[u8], error: &rmp_serde::decode::Error) -> Option<M> {
    let rmp_serde::decode::Error::Syntax(reason) = error else { return None };
    if !reason.starts_with("missing field") {
        return None;
    }
    let layout = layout::of::<M>()?;
    let complete = rewriting::rewrite(&layout, bytes, true, 2 * MAX_DEPTH)?;
    unpack(&complete).ok()
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown codec name.
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

#[cfg(test)]
mod tests;
