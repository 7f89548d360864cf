use std::{fmt, str::FromStr};

use bytes::{BufMut, Bytes, BytesMut};
use rmp_serde::config::BytesMode;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{Message, clipped};

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
            Self::MessagePack => {
                let mut reader = rmp_serde::Deserializer::from_read_ref(&bytes[..]);
                reader.set_max_depth(MAX_DEPTH);
                let message = M::deserialize(&mut reader).map_err(|error| self.decode_error(&error))?;
                match IgnoredAny::deserialize(&mut reader) {
                    Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(message),
                    _ => Err(self.decode_error(&"bytes follow the message")),
                }
            }
        }
    }

    fn encode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Encode { codec: self, reason: error.to_string() }
    }

    fn decode_error(self, error: &dyn fmt::Display) -> CodecError {
        CodecError::Decode { codec: self, reason: clipped::reason(error) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    #[serde(default)]
    struct Nested {
        #[prost(message, optional, boxed, tag = "1")]
        inner: Option<Box<Self>>,
        #[prost(bytes = "vec", tag = "2")]
        data: Vec<u8>,
    }

    fn nested(depth: usize) -> Nested {
        (0..depth)
            .fold(Nested::default(), |inner, _| Nested { inner: Some(Box::new(inner)), ..Nested::default() })
    }

    #[test]
    fn both_codecs_refuse_what_nests_too_deep() {
        for codec in [Codec::Protobuf, Codec::MessagePack] {
            let mut buffer = BytesMut::new();
            codec.encode(&nested(50), &mut buffer).unwrap();
            assert_eq!(codec.decode::<Nested>(buffer.split().freeze()).unwrap(), nested(50), "{codec}");
            codec.encode(&nested(200), &mut buffer).unwrap();
            assert!(codec.decode::<Nested>(buffer.freeze()).is_err(), "{codec}");
        }
    }

    #[test]
    fn bytes_that_follow_a_message_are_an_error() {
        let mut buffer = BytesMut::new();
        Codec::MessagePack.encode(&nested(1), &mut buffer).unwrap();
        buffer.put_u8(0xc0);
        assert!(Codec::MessagePack.decode::<Nested>(buffer.freeze()).is_err());
    }

    #[test]
    fn bytes_travel_as_bin_in_message_pack() {
        let message = Nested { data: vec![1, 2, 255], ..Nested::default() };
        let mut buffer = BytesMut::new();
        Codec::MessagePack.encode(&message, &mut buffer).unwrap();
        assert!(buffer.windows(5).any(|window| window == [0xc4, 3, 1, 2, 255]), "{buffer:?}");
        assert_eq!(Codec::MessagePack.decode::<Nested>(buffer.freeze()).unwrap(), message);
    }
}
