//! Messages with a descriptor as MessagePack, in the layout of serde for prost's structs: a message is a map of its Rust
//! field names, an enum is its number, bytes are `bin`, a oneof is a map of its one variant, an absent field is nil.

use bytes::Bytes;
use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, OneofDescriptor, ReflectMessage as _,
    Value as Field,
};
use rmpv::Value;

/// The limit of nesting in either direction; protobuf's own limit is 100.
const DEPTH: usize = 100;

/// Encodes the value.
pub(super) fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = rmpv::encode::write_value(&mut bytes, value);
    bytes
}

/// Decodes the value. The bytes must hold exactly one.
pub(super) fn read(bytes: &Bytes) -> Result<Value, String> {
    let mut rest = bytes.as_ref();
    let value = rmpv::decode::read_value_with_max_depth(&mut rest, 2 * DEPTH)
        .map_err(|error| format!("invalid MessagePack: {error}"))?;
    if rest.is_empty() { Ok(value) } else { Err(format!("{} bytes follow the message", rest.len())) }
}

/// The message as serde serializes prost's struct.
pub(super) fn from_message(message: &DynamicMessage) -> Value {
    let descriptor = message.descriptor();
    let mut entries = Vec::new();
    for field in descriptor.fields().filter(|field| oneof(field).is_none()) {
        let value = match message.has_field(&field) || !field.supports_presence() {
            true => from_field(&message.get_field(&field)),
            false => Value::Nil,
        };
        entries.push((Value::from(field_name(field.name())), value));
    }
    for oneof in descriptor.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let variant = oneof.fields().find(|field| message.has_field(field)).map(|field| {
            let value = from_field(&message.get_field(&field));
            Value::Map(vec![(Value::from(variant_name(field.name())), value)])
        });
        entries.push((Value::from(field_name(oneof.name())), variant.unwrap_or(Value::Nil)));
    }
    Value::Map(entries)
}

fn from_field(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::I32(value) | Field::EnumNumber(value) => Value::from(*value),
        Field::I64(value) => Value::from(*value),
        Field::U32(value) => Value::from(*value),
        Field::U64(value) => Value::from(*value),
        Field::F32(value) => Value::from(*value),
        Field::F64(value) => Value::from(*value),
        Field::String(value) => Value::from(value.as_str()),
        Field::Bytes(value) => Value::Binary(value.to_vec()),
        Field::Message(message) => from_message(message),
        Field::List(items) => Value::Array(items.iter().map(from_field).collect()),
        Field::Map(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(key, value)| (from_key(key), from_field(value))).collect();
            // Sorted, for a stable output.
            entries.sort_by_key(|(key, _)| key.to_string());
            Value::Map(entries)
        }
    }
}

fn from_key(key: &MapKey) -> Value {
    match key {
        MapKey::Bool(key) => Value::from(*key),
        MapKey::I32(key) => Value::from(*key),
        MapKey::I64(key) => Value::from(*key),
        MapKey::U32(key) => Value::from(*key),
        MapKey::U64(key) => Value::from(*key),
        MapKey::String(key) => Value::from(key.as_str()),
    }
}

/// Decodes the value as a message of this type. Unknown fields are skipped.
pub(super) fn to_message(value: &Value, descriptor: &MessageDescriptor) -> Result<DynamicMessage, String> {
    nested(value, descriptor, DEPTH)
}

fn nested(value: &Value, descriptor: &MessageDescriptor, depth: usize) -> Result<DynamicMessage, String> {
    let depth = depth.checked_sub(1).ok_or("nested too deeply")?;
    let entries =
        value.as_map().ok_or_else(|| format!("expected a map of fields and found {}", kind(value)))?;
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, value) in entries.iter().filter(|(_, value)| !value.is_nil()) {
        let Some(name) = name.as_str() else { return Err(format!("{} names a field", kind(name))) };
        let mut plain = descriptor.fields().filter(|field| oneof(field).is_none());
        let field = plain.find(|field| field_name(field.name()) == name).map(|field| (field, value));
        let found = match field {
            Some(found) => Some(found),
            None => variant(descriptor, name, value)?,
        };
        if let Some((field, value)) = found {
            let value =
                to_field(value, &field, depth).map_err(|error| format!("{}: {error}", field.name()))?;
            message.try_set_field(&field, value).map_err(|error| error.to_string())?;
        }
    }
    Ok(message)
}

/// The set field of the oneof with this name, and its value.
fn variant<'a>(
    descriptor: &MessageDescriptor,
    name: &str,
    value: &'a Value,
) -> Result<Option<(FieldDescriptor, &'a Value)>, String> {
    let mut oneofs = descriptor.oneofs().filter(|oneof| !oneof.is_synthetic());
    let Some(oneof) = oneofs.find(|oneof| field_name(oneof.name()) == name) else { return Ok(None) };
    let Some([(chosen, value)]) = value.as_map().map(Vec::as_slice) else {
        return Err(format!("{name}: expected a map of one variant and found {}", kind(value)));
    };
    // An unknown variant leaves the oneof unset, as in protobuf.
    let field = chosen.as_str().and_then(|chosen| find_variant(&oneof, chosen));
    Ok(field.map(|field| (field, value)))
}

fn find_variant(oneof: &OneofDescriptor, name: &str) -> Option<FieldDescriptor> {
    oneof.fields().find(|field| variant_name(field.name()) == name)
}

fn to_field(value: &Value, field: &FieldDescriptor, depth: usize) -> Result<Field, String> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Err("is no map".to_owned()) };
        let (key, item) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let entries = value.as_map().ok_or_else(|| format!("expected a map and found {}", kind(value)))?;
        let entries = entries.iter().map(|(k, v)| {
            let key = to_single(k, &key.kind(), depth)?;
            let key = key.into_map_key().ok_or("is no key of a map")?;
            Ok((key, to_single(v, &item.kind(), depth)?))
        });
        return Ok(Field::Map(entries.collect::<Result<_, String>>()?));
    }
    if field.is_list() {
        let items = value.as_array().ok_or_else(|| format!("expected an array and found {}", kind(value)))?;
        let items = items.iter().map(|item| to_single(item, &field.kind(), depth));
        return Ok(Field::List(items.collect::<Result<_, _>>()?));
    }
    to_single(value, &field.kind(), depth)
}

fn to_single(value: &Value, expected: &Kind, depth: usize) -> Result<Field, String> {
    let found = match expected {
        Kind::Bool => value.as_bool().map(Field::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(value).map(Field::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => value.as_i64().map(Field::I64),
        Kind::Uint32 | Kind::Fixed32 => {
            value.as_u64().and_then(|number| number.try_into().ok()).map(Field::U32)
        }
        Kind::Uint64 | Kind::Fixed64 => value.as_u64().map(Field::U64),
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float => value.as_f64().map(|number| Field::F32(number as f32)),
        Kind::Double => value.as_f64().map(Field::F64),
        Kind::String => value.as_str().map(|text| Field::String(text.to_owned())),
        Kind::Bytes => bytes(value).map(Field::Bytes),
        Kind::Enum(_) => integer(value).map(Field::EnumNumber),
        Kind::Message(message) => return Ok(Field::Message(nested(value, message, depth)?)),
    };
    found.ok_or_else(|| format!("expected {expected:?} and found {}", kind(value)))
}

fn integer(value: &Value) -> Option<i32> {
    value.as_i64()?.try_into().ok()
}

/// `bin`, or an array of numbers: serde's form of bytes without `serde_bytes`.
fn bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Binary(bytes) => Some(Bytes::copy_from_slice(bytes)),
        Value::Array(items) => items.iter().map(|item| item.as_u64()?.try_into().ok()).collect(),
        _ => None,
    }
}

/// The oneof of the field in the source; a proto3 `optional` has none.
fn oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

/// Prost's name of a field. Serde writes a raw identifier without its prefix; keywords that cannot be raw get a suffix.
fn field_name(name: &str) -> String {
    suffixed(name.to_snake_case())
}

/// Prost's name of a oneof's variant.
fn variant_name(name: &str) -> String {
    suffixed(name.to_upper_camel_case())
}

fn suffixed(name: String) -> String {
    match name.as_str() {
        "super" | "self" | "Self" | "extern" | "crate" => name + "_",
        _ if name.starts_with(char::is_numeric) => format!("_{name}"),
        _ => name,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::F32(_) | Value::F64(_) => "a float",
        Value::String(_) => "a string",
        Value::Binary(_) => "binary",
        Value::Array(_) => "an array",
        Value::Map(_) => "a map",
        Value::Ext(..) => "an extension",
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;
