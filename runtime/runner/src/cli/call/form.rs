use std::{
    any::{Any, TypeId},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::{msgpack, plain};
use crate::cli::json::{self, Shown, Types};
use polywire_core::{__runner::Typed, Codec, CodecError, Payload, Status};

/// How JSON becomes the messages of a method, and the reverse.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Form {
    /// By descriptors: protobuf's canonical JSON, in any codec.
    Described {
        /// What a request is.
        input: MessageDescriptor,
        /// What a response is.
        output: MessageDescriptor,
        /// What may be in an `Any`.
        types: Arc<Types>,
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
    pub(super) fn read(&self, text: &str) -> serde_json::Result<Request> {
        let mut json = serde_json::Deserializer::from_str(text);
        let request = match self {
            Self::Described { input, types, .. } => Request::Described(json::read(&mut json, input, types)?),
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

    /// The codec that calls travel in when `codec` is wished for; `None` where it is up to the transport.
    ///
    /// # Errors
    /// When it cannot be had without a schema.
    pub(super) fn codec(&self, codec: Option<Codec>) -> Result<Option<Codec>, Status> {
        match (self, codec) {
            (Self::Plain, Some(Codec::Protobuf)) => Err(Status::failed_precondition(
                "protobuf needs the schema of the messages, and nobody has it (a node is given it by `.descriptors`); use --codec msgpack",
            )),
            (Self::Plain, _) => Ok(Some(Codec::MessagePack)),
            (Self::Described { .. }, codec) => Ok(codec),
        }
    }

    /// One response as compact JSON. What has none is shown as base64: the call was answered.
    ///
    /// # Errors
    /// When it cannot be had at all.
    pub(super) fn to_json(&self, response: &Payload) -> Result<Shown, Status> {
        match self {
            Self::Described { output, types, .. } => {
                // One that never left this process can be had in any.
                let codec = response.codec().unwrap_or(Codec::Protobuf);
                let bytes = encoded(response, codec)?;
                Ok(match decode(output, codec, &bytes) {
                    Ok(message) => json::write(&message, types),
                    Err(why) => json::opaque(&bytes, &why),
                })
            }
            Self::Plain => {
                let bytes = encoded(response, Codec::MessagePack)?;
                let json = msgpack::read(&bytes).and_then(|value| plain::to_json(&value));
                Ok(match json {
                    Ok(json) => Shown { json: json.to_string(), notes: Vec::new() },
                    Err(why) => json::opaque(&bytes, &format!("the answer: {why}")),
                })
            }
        }
    }

    /// Asks for the types that were looked for in vain. Returns whether it is worth while to look again.
    pub(super) async fn learn(&self) -> bool {
        match self {
            Self::Described { types, .. } => types.learn().await,
            Self::Plain => false,
        }
    }

    /// As [`learn`](Self::learn), on a thread that may wait.
    pub(super) fn learn_blocking(&self) -> bool {
        match self {
            Self::Described { types, .. } => types.learn_blocking(),
            Self::Plain => false,
        }
    }
}

impl Request {
    /// The request as it is sent: each transport encodes it in the codec that it takes.
    pub(super) fn into_payload(self) -> Payload {
        Payload::typed(self)
    }
}

impl Typed for Request {
    fn encode(&self, codec: Codec, buffer: &mut BytesMut) -> Result<(), CodecError> {
        let bytes = match (self, codec) {
            (Self::Described(message), Codec::Protobuf) => message.encode_to_vec(),
            (Self::Described(message), Codec::MessagePack) => msgpack::write(&msgpack::from_message(message)),
            (Self::Plain(json), Codec::MessagePack) => msgpack::write(&plain::from_json(json)),
            (Self::Plain(_), Codec::Protobuf) => {
                return Err(CodecError::Encode { codec, reason: "its schema is not known".to_owned() });
            }
            (_, codec) => {
                return Err(CodecError::Encode { codec, reason: "JSON is not written in it".to_owned() });
            }
        };
        buffer.extend_from_slice(&bytes);
        Ok(())
    }

    fn protobuf_len(&self) -> usize {
        match self {
            Self::Described(message) => message.encoded_len(),
            Self::Plain(_) => 0,
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn is(&self, type_id: TypeId) -> bool {
        type_id == TypeId::of::<Self>()
    }
}

fn encoded(message: &Payload, codec: Codec) -> Result<Bytes, Status> {
    if let Some(bytes) = message.as_encoded(codec) {
        return Ok(bytes.clone());
    }
    let mut buffer = BytesMut::new();
    message.encode(codec, &mut buffer)?;
    Ok(buffer.freeze())
}

fn decode(output: &MessageDescriptor, codec: Codec, bytes: &Bytes) -> Result<DynamicMessage, String> {
    let decoded = match codec {
        Codec::Protobuf => {
            DynamicMessage::decode(output.clone(), bytes.clone()).map_err(|error| error.to_string())
        }
        Codec::MessagePack => msgpack::read(bytes).and_then(|value| msgpack::to_message(&value, output)),
        other => Err(format!("{other} is not read as JSON")),
    };
    decoded.map_err(|error| format!("the answer is no {}: {error}", output.full_name()))
}
