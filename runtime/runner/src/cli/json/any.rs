//! `google.protobuf.Any`, which names its type beside its fields.

use prost_reflect::prost_types::Any;
use serde::de::DeserializeSeed as _;

use super::{
    is_special,
    read::{Message, encoded},
    scalar,
    tree::Tree,
    types::Types,
};

/// Reads one. Of a type that is not known, the encoding in base64 is taken, as it is written then.
pub(super) fn read(json: Tree, types: &Types) -> Result<Any, String> {
    let kind = json.kind();
    let Tree::Object(mut entries) = json else { return Err(format!("expected an object, found {kind}")) };
    if entries.is_empty() {
        return Ok(Any::default());
    }
    let Some(at) = entries.iter().position(|(name, _)| name == "@type") else {
        return Err("expected '@type' in an Any that is not empty".to_owned());
    };
    let type_url = match entries.swap_remove(at).1 {
        Tree::Text(url) => url,
        other => return Err(format!("'@type': expected a string, found {}", other.kind())),
    };
    let name = type_name(&type_url).ok_or_else(|| {
        format!("'@type': expected PREFIX/TYPE as in type.googleapis.com/a.B, found {type_url:?}")
    })?;
    let Some(descriptor) = types.find(name) else {
        return match opaque(&entries) {
            Some(value) => Ok(Any { type_url, value }),
            None => Err(format!("'@type': the type {name} is not known")),
        };
    };
    let fields = match is_special(name) {
        true => special(entries, name)?,
        // Some write what is in it for that of no fields too.
        false if name == "google.protobuf.Empty" && is_empty_value(&entries) => Tree::Object(Vec::new()),
        false => Tree::Object(entries),
    };
    let message = Message { descriptor: &descriptor, types }.deserialize(fields);
    Ok(Any { value: encoded(&message.map_err(|error| error.to_string())?), type_url })
}

/// The name of the type that the URL ends with.
pub(super) fn type_name(url: &str) -> Option<&str> {
    url.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty())
}

fn special(mut entries: Vec<(String, Tree)>, name: &str) -> Result<Tree, String> {
    match (entries.pop(), entries.pop()) {
        (Some((value, json)), None) if value == "value" => Ok(json),
        _ => Err(format!("expected 'value' beside '@type' for {name}, and nothing else")),
    }
}

fn is_empty_value(entries: &[(String, Tree)]) -> bool {
    matches!(entries, [(name, Tree::Object(fields))] if name == "value" && fields.is_empty())
}

fn opaque(entries: &[(String, Tree)]) -> Option<Vec<u8>> {
    match entries {
        [(name, Tree::Text(text))] if name == "value" => scalar::bytes(text),
        _ => None,
    }
}
