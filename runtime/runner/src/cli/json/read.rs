//! Requests from JSON, by serde on top of serde_json's parser.
//!
//! prost-reflect can deserialize a `DynamicMessage` too. It does not serve here: it refuses `{"any": {}}`, an `Any` of
//! `Empty` and `"1e2"`, which protobuf's conformance tests require, finds the type of an `Any` in one pool only and
//! cannot ask the target for it, and does not say which field an unknown name resembles or which oneof two fields share.

use std::{collections::BTreeSet, fmt};

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
    Value,
    prost_types::{self, ListValue, Struct, value},
};
use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value as Json;

use super::{
    any, is_special, is_wrapper, mask, scalar, time,
    types::Types,
    unique::{Unique, describe},
};
use polywire_core::__runner::nearest;

/// Reads a message of this type.
///
/// # Errors
/// If the JSON is malformed or does not match the type.
pub(in crate::cli) fn read<'de, D: Deserializer<'de>>(
    json: D,
    descriptor: &MessageDescriptor,
    types: &Types,
) -> Result<DynamicMessage, D::Error> {
    Message { descriptor, types }.deserialize(json)
}

/// Deserializes a message.
pub(super) struct Message<'a> {
    pub(super) descriptor: &'a MessageDescriptor,
    pub(super) types: &'a Types,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<DynamicMessage, D::Error> {
        let mut message = DynamicMessage::new(self.descriptor.clone());
        match self.descriptor.full_name() {
            name if !is_special(name) => {
                json.deserialize_map(Fields { message: &mut message, types: self.types })?
            }
            "google.protobuf.Any" => {
                let Unique(json) = Unique::deserialize(json)?;
                let any = any::read(json, self.types).map_err(D::Error::custom)?;
                message.transcode_from(&any).map_err(D::Error::custom)?;
            }
            name => {
                let Unique(json) = Unique::deserialize(json)?;
                special(name, &json, &mut message).map_err(D::Error::custom)?;
            }
        }
        Ok(message)
    }
}

/// Reads a message whose JSON is not an object of its fields.
fn special(name: &str, json: &Json, message: &mut DynamicMessage) -> Result<(), String> {
    let text = json.as_str().unwrap_or("\0");
    let unfit = |expected: &str| format!("expected {expected}, found {}", describe(json));
    let read = match name.trim_start_matches("google.protobuf.") {
        "Timestamp" => {
            let expected = "a time from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z in a string";
            message.transcode_from(&time::read_timestamp(text).ok_or_else(|| unfit(expected))?)
        }
        "Duration" => {
            let expected = "a duration such as \"1.5s\", at most 315576000000 s";
            message.transcode_from(&time::read_duration(text).ok_or_else(|| unfit(expected))?)
        }
        "FieldMask" => {
            let expected = "paths in lower camel case separated by commas, in a string";
            let paths = mask::read(text).ok_or_else(|| unfit(expected))?;
            message.transcode_from(&prost_types::FieldMask { paths })
        }
        "Value" => message.transcode_from(&any_value(json)?),
        "Struct" => match json {
            Json::Object(entries) => message.transcode_from(&object(entries)?),
            _ => return Err(unfit("an object")),
        },
        "ListValue" => match json {
            Json::Array(items) => message.transcode_from(&list(items)?),
            _ => return Err(unfit("an array")),
        },
        wrapper if is_wrapper(wrapper) => {
            let field = message.descriptor().get_field_by_name("value").ok_or("the wrapper has no value")?;
            message.set_field(&field, scalar::read(&field.kind(), json)?);
            return Ok(());
        }
        _ => return Err(unfit("an object")),
    };
    read.map_err(|error| error.to_string())
}

fn any_value(json: &Json) -> Result<prost_types::Value, String> {
    let kind = match json {
        Json::Null => value::Kind::NullValue(0),
        Json::Bool(value) => value::Kind::BoolValue(*value),
        Json::Number(number) => value::Kind::NumberValue(number.as_f64().ok_or("a number out of range")?),
        Json::String(text) => value::Kind::StringValue(text.clone()),
        Json::Array(items) => value::Kind::ListValue(list(items)?),
        Json::Object(entries) => value::Kind::StructValue(object(entries)?),
    };
    Ok(prost_types::Value { kind: Some(kind) })
}

fn list(items: &[Json]) -> Result<ListValue, String> {
    Ok(ListValue { values: items.iter().map(any_value).collect::<Result<_, _>>()? })
}

fn object(entries: &serde_json::Map<String, Json>) -> Result<Struct, String> {
    let entry = |(name, value): (&String, &Json)| Ok((name.clone(), any_value(value)?));
    Ok(Struct { fields: entries.iter().map(entry).collect::<Result<_, String>>()? })
}

/// Reads the fields of a message from an object.
struct Fields<'a> {
    message: &'a mut DynamicMessage,
    types: &'a Types,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields of {}", self.message.descriptor().full_name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let descriptor = self.message.descriptor();
        let mut seen = BTreeSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            let field = Named::find(&descriptor, &name).map_err(A::Error::custom)?;
            if !seen.insert(field.number()) {
                return Err(A::Error::custom(format_args!("duplicate field '{name}'")));
            }
            if let Some(value) = entries.next_value_seed(Optional { field: &field, types: self.types })? {
                field.set(self.message, value).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// A field, by one of its names.
enum Named {
    Field(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

impl Named {
    fn find(descriptor: &MessageDescriptor, name: &str) -> Result<Self, String> {
        let field = descriptor.get_field_by_json_name(name).or_else(|| descriptor.get_field_by_name(name));
        if let Some(field) = field {
            return Ok(Self::Field(field));
        }
        if let Some(extension) = descriptor.get_extension_by_json_name(name) {
            return Ok(Self::Extension(extension));
        }
        let known: Vec<_> = descriptor.fields().map(|field| field.json_name().to_owned()).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Err(format!("unrecognized field name '{name}' of {}{near}", descriptor.full_name()))
    }

    fn number(&self) -> u32 {
        match self {
            Self::Field(field) => field.number(),
            Self::Extension(extension) => extension.number(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Field(field) => field.kind(),
            Self::Extension(extension) => extension.kind(),
        }
    }

    fn is_list(&self) -> bool {
        match self {
            Self::Field(field) => field.is_list(),
            Self::Extension(extension) => extension.is_list(),
        }
    }

    fn is_map(&self) -> bool {
        match self {
            Self::Field(field) => field.is_map(),
            Self::Extension(extension) => extension.is_map(),
        }
    }

    fn set(&self, message: &mut DynamicMessage, value: Value) -> Result<(), String> {
        let field = match self {
            Self::Field(field) => field,
            Self::Extension(extension) => {
                message.set_extension(extension, value);
                return Ok(());
            }
        };
        let rival = field.containing_oneof().and_then(|oneof| {
            let set = oneof.fields().find(|other| message.has_field(other))?;
            Some((oneof, set))
        });
        if let Some((oneof, set)) = rival {
            let (name, set) = (oneof.name(), set.json_name());
            return Err(format!(
                "'{}' and '{set}' are both in the oneof '{name}'; expected one of them",
                field.json_name()
            ));
        }
        message.try_set_field(field, value).map_err(|error| error.to_string())
    }
}

/// Reads the value of a field; `None` if null leaves it unset.
struct Optional<'a> {
    field: &'a Named,
    types: &'a Types,
}

impl<'de> DeserializeSeed<'de> for Optional<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Optional<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a field, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        self.visit_none()
    }

    fn visit_none<E: Error>(self) -> Result<Option<Value>, E> {
        let is_single = !self.field.is_list() && !self.field.is_map();
        match self.field.kind() {
            Kind::Message(message) if is_single && message.full_name() == "google.protobuf.Value" => {
                let mut null = DynamicMessage::new(message);
                special("google.protobuf.Value", &Json::Null, &mut null).map_err(E::custom)?;
                Ok(Some(Value::Message(null)))
            }
            Kind::Enum(choices) if is_single && choices.full_name() == scalar::NULL => {
                Ok(Some(Value::EnumNumber(0)))
            }
            _ => Ok(None),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        let (kind, types) = (&self.field.kind(), self.types);
        let value = match kind {
            Kind::Message(entry) if self.field.is_map() => json.deserialize_map(Entries { entry, types })?,
            kind if self.field.is_list() => json.deserialize_seq(Items { kind, types })?,
            kind => Single { kind, types }.deserialize(json)?,
        };
        Ok(Some(value))
    }
}

/// Reads a value other than null.
#[derive(Clone, Copy)]
struct Single<'a> {
    kind: &'a Kind,
    types: &'a Types,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        match self.kind {
            Kind::Message(descriptor) => {
                Ok(Value::Message(Message { descriptor, types: self.types }.deserialize(json)?))
            }
            kind => scalar::read(kind, &Unique::deserialize(json)?.0).map_err(D::Error::custom),
        }
    }
}

/// Reads the items of a list.
struct Items<'a> {
    kind: &'a Kind,
    types: &'a Types,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Single { kind: self.kind, types: self.types })? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
}

/// Reads the entries of a map.
struct Entries<'a> {
    entry: &'a MessageDescriptor,
    types: &'a Types,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the map's entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (keys, values) =
            (self.entry.map_entry_key_field().kind(), self.entry.map_entry_value_field().kind());
        let mut map = std::collections::HashMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            let key = scalar::key(&keys, &name).map_err(A::Error::custom)?;
            let value = entries.next_value_seed(Single { kind: &values, types: self.types })?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(format_args!("duplicate key '{name}'")));
            }
        }
        Ok(Value::Map(map))
    }
}

/// Encodes the message as protobuf.
pub(super) fn encoded(message: &DynamicMessage) -> Vec<u8> {
    message.encode_to_vec()
}
