use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::DeserializeSeed as _;

use super::{msgpack, plain};
use crate::{Codec, Payload, Status};

/// How JSON becomes the messages of a method, and the reverse.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Form {
    /// By descriptors: protobuf's canonical JSON, in any codec.
    Described {
        /// What a request is.
        input: MessageDescriptor,
        /// What a response is.
        output: MessageDescriptor,
    },
    /// By field names, without knowing any: JSON as it is, in MessagePack.
    Plain,
}

/// A request that has been read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    Described(DynamicMessage),
    Plain(serde_json::Value),
}

impl Form {
    /// Reads one request.
    pub(super) fn read(&self, json: &str) -> serde_json::Result<Request> {
        let mut json = serde_json::Deserializer::from_str(json);
        let request = match self {
            Self::Described { input, .. } => Request::Described(input.clone().deserialize(&mut json)?),
            Self::Plain => Request::Plain(serde::Deserialize::deserialize(&mut json)?),
        };
        json.end()?;
        Ok(request)
    }

    /// What a request must be, for messages.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Described { input, .. } => {
                let fields: Vec<_> = input.fields().map(|field| field.json_name().to_owned()).collect();
                match fields.is_empty() {
                    true => format!("{} as JSON, which has no fields", input.full_name()),
                    false => format!("{} as JSON, with the fields {}", input.full_name(), fields.join(", ")),
                }
            }
            Self::Plain => "a JSON value".to_owned(),
        }
    }

    /// The codec that calls travel in when `codec` is wished for.
    ///
    /// # Errors
    /// When it cannot be had without a schema.
    pub(super) fn codec(&self, codec: Codec, asked: bool) -> Result<Codec, Status> {
        match (self, codec) {
            (Self::Plain, Codec::Protobuf) if asked => Err(Status::failed_precondition(
                "protobuf needs the schema of the messages, and nobody has it (a node is given it by `.descriptors`); use --codec msgpack",
            )),
            (Self::Plain, _) => Ok(Codec::MessagePack),
            (Self::Described { .. }, codec) => Ok(codec),
        }
    }

    /// One response as compact JSON.
    pub(super) fn to_json(&self, codec: Codec, response: &Payload) -> Result<String, Status> {
        let bytes = response
            .as_encoded(codec)
            .ok_or_else(|| Status::internal(format!("the answer is not encoded as {codec}")))?;
        let json = match self {
            Self::Described { output, .. } => {
                serde_json::to_string(&decode(output, codec, bytes)?).map_err(|error| error.to_string())
            }
            Self::Plain => {
                plain::to_json(&msgpack::read(bytes).map_err(Status::internal)?).map(|json| json.to_string())
            }
        };
        json.map_err(|error| Status::internal(format!("the answer cannot be shown as JSON: {error}")))
    }
}

impl Request {
    /// The request as it travels in this codec.
    pub(super) fn encode(&self, codec: Codec) -> Result<Payload, Status> {
        let bytes = match (self, codec) {
            (Self::Described(message), Codec::Protobuf) => message.encode_to_vec(),
            (Self::Described(message), Codec::MessagePack) => msgpack::write(&msgpack::from_message(message)),
            (Self::Plain(json), Codec::MessagePack) => msgpack::write(&plain::from_json(json)),
            (Self::Plain(_), Codec::Protobuf) => {
                return Err(Status::internal("a message without a schema has no protobuf encoding"));
            }
        };
        Ok(Payload::encoded(codec, bytes.into()))
    }
}

fn decode(output: &MessageDescriptor, codec: Codec, bytes: &Bytes) -> Result<DynamicMessage, Status> {
    let decoded = match codec {
        Codec::Protobuf => {
            DynamicMessage::decode(output.clone(), bytes.clone()).map_err(|error| error.to_string())
        }
        Codec::MessagePack => msgpack::read(bytes).and_then(|value| msgpack::to_message(&value, output)),
    };
    decoded.map_err(|error| Status::internal(format!("the answer is no {}: {error}", output.full_name())))
}
