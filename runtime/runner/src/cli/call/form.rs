use std::{
    any::{Any, TypeId},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::{msgpack, named, plain};
use crate::cli::json::{self, Shown, Types};
use polywire_core::{__runner::Typed, Codec, CodecError, Payload, Status};

/// The conversion between JSON and the messages of a method.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Form {
    /// By descriptors: protobuf's canonical JSON, in any codec.
    Described {
        /// The request type.
        input: MessageDescriptor,
        /// The response type.
        output: MessageDescriptor,
        /// The types that an `Any` may hold.
        types: Arc<Types>,
    },
    /// Without a schema: JSON as it is, in MessagePack.
    Plain,
    /// The same, where this binary has the request's type, with these fields.
    Named(&'static [&'static str]),
}

/// A parsed request.
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
            Self::Named(fields) => Request::Plain(named::read(&mut json, fields)?),
        };
        json.end()?;
        Ok(request)
    }

    /// The expected request, for error texts.
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
            Self::Named(fields) => format!("JSON with the fields {}", fields.join(", ")),
        }
    }

    /// The codec of a call for which `codec` was requested; `None` for the transport's default.
    ///
    /// # Errors
    /// If the codec requires a schema and there is none.
    pub(super) fn codec(&self, codec: Option<Codec>) -> Result<Option<Codec>, Status> {
        match (self, codec) {
            (Self::Plain | Self::Named(_), Some(Codec::Protobuf)) => Err(Status::failed_precondition(
                "--codec protobuf requires the schema of the messages, which neither this binary nor the target has (a node gets it by `.descriptors`); use --codec msgpack",
            )),
            (Self::Plain | Self::Named(_), _) => Ok(Some(Codec::MessagePack)),
            (Self::Described { .. }, codec) => Ok(codec),
        }
    }

    /// A response as compact JSON. A message without a JSON form is shown as base64, as the call succeeded.
    ///
    /// # Errors
    /// If the message cannot be encoded.
    pub(super) fn to_json(&self, response: &Payload) -> Result<Shown, Status> {
        match self {
            Self::Described { output, types, .. } => {
                // A message of this process is not encoded yet.
                let codec = response.codec().unwrap_or(Codec::Protobuf);
                let bytes = encoded(response, codec)?;
                Ok(match decode(output, codec, &bytes) {
                    Ok(message) => json::write(&message, types),
                    Err(why) => json::opaque(&bytes, &why),
                })
            }
            Self::Plain | Self::Named(_) => {
                let bytes = encoded(response, Codec::MessagePack)?;
                let json = msgpack::read(&bytes).and_then(|value| plain::to_json(&value));
                Ok(match json {
                    Ok(json) => Shown { json: json.to_string(), notes: Vec::new() },
                    Err(why) => json::opaque(&bytes, &format!("the response: {why}")),
                })
            }
        }
    }

    /// Asks for the types that were not found. Returns whether a retry may find more.
    pub(super) async fn learn(&self) -> bool {
        match self {
            Self::Described { types, .. } => types.learn().await,
            Self::Plain | Self::Named(_) => false,
        }
    }

    /// The blocking form of [`learn`](Self::learn).
    pub(super) fn learn_blocking(&self) -> bool {
        match self {
            Self::Described { types, .. } => types.learn_blocking(),
            Self::Plain | Self::Named(_) => false,
        }
    }
}

impl Request {
    /// The request as a payload; each transport encodes it in its codec.
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
                return Err(CodecError::Encode {
                    codec,
                    reason: "there is no schema of the message".to_owned(),
                });
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
    decoded.map_err(|error| format!("the response is not a valid {}: {error}", output.full_name()))
}
