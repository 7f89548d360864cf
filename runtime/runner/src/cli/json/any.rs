//! `google.protobuf.Any`, which names its type beside its fields.

use prost_reflect::prost_types::Any;
use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value};

use super::{
    is_special,
    read::{Message, encoded},
    scalar,
    types::Types,
    unique::describe,
};

/// Reads an `Any`. For an unknown type, `value` is the encoded message in base64, as when writing.
pub(super) fn read(json: Value, types: &Types) -> Result<Any, String> {
    let found = describe(&json);
    let Value::Object(mut entries) = json else { return Err(format!("expected an object, found {found}")) };
    if entries.is_empty() {
        return Ok(Any::default());
    }
    let type_url = match entries.remove("@type") {
        Some(Value::String(url)) => url,
        Some(other) => return Err(format!("'@type': expected a string, found {}", describe(&other))),
        None => return Err("expected '@type' in an Any that is not empty".to_owned()),
    };
    let name = type_name(&type_url).ok_or_else(|| {
        format!("'@type': expected PREFIX/TYPE as in type.googleapis.com/a.B, found {type_url:?}")
    })?;
    let Some(descriptor) = types.find(name) else {
        return match opaque(&entries) {
            Some(value) => Ok(Any { type_url, value }),
            None => Err(format!("'@type': unknown type {name}")),
        };
    };
    let fields = match is_special(name) {
        true => special(entries, name)?,
        // Some implementations write `value` for this type too.
        false if name == "google.protobuf.Empty" && is_empty_value(&entries) => Value::Object(Map::new()),
        false => Value::Object(entries),
    };
    let message = Message { descriptor: &descriptor, types }.deserialize(fields);
    Ok(Any { value: encoded(&message.map_err(|error| error.to_string())?), type_url })
}

/// The type's name at the end of the URL.
pub(super) fn type_name(url: &str) -> Option<&str> {
    url.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty())
}

fn special(mut entries: Map<String, Value>, name: &str) -> Result<Value, String> {
    match entries.remove("value") {
        Some(value) if entries.is_empty() => Ok(value),
        _ => Err(format!("expected 'value' beside '@type' for {name}, and nothing else")),
    }
}

fn is_empty_value(entries: &Map<String, Value>) -> bool {
    entries.len() == 1
        && entries.get("value").and_then(Value::as_object).is_some_and(|fields| fields.is_empty())
}

fn opaque(entries: &Map<String, Value>) -> Option<Vec<u8>> {
    if entries.len() != 1 {
        return None;
    }
    scalar::bytes(entries.get("value")?.as_str()?)
}
