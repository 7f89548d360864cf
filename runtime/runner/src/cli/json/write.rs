use prost::Message as _;
use prost_reflect::{
    DynamicMessage, Kind, MapKey, ReflectMessage as _, Value,
    prost_types::{self, value},
};

use super::{DEPTH, any::type_name, is_special, is_wrapper, mask, scalar, time, types::Types};

/// A message as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Shown {
    /// The JSON, on one line.
    pub(in crate::cli) json: String,
    /// The parts that have no JSON form and are shown as base64, and the reasons: a line each.
    pub(in crate::cli) notes: Vec<String>,
}

/// Writes the message. Parts without a JSON form are written as the base64 of their encoding.
pub(in crate::cli) fn write(message: &DynamicMessage, types: &Types) -> Shown {
    let mut writer = Writer { shown: Shown::default(), types, path: Vec::new(), depth: 0 };
    writer.message(message);
    writer.shown
}

/// Bytes that cannot be decoded, as base64 with the reason.
pub(in crate::cli) fn opaque(bytes: &[u8], why: &str) -> Shown {
    let mut json = String::new();
    scalar::base64(bytes, &mut json);
    Shown { json, notes: vec![format!("{why}; it is shown as base64")] }
}

struct Writer<'a> {
    shown: Shown,
    types: &'a Types,
    /// The names of the enclosing fields.
    path: Vec<String>,
    /// The number of enclosing messages.
    depth: usize,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.shown.json.push_str(text);
    }

    /// Writes a message, or its encoding if it has no JSON form.
    fn message(&mut self, message: &DynamicMessage) {
        let begin = self.shown.json.len();
        self.depth += 1;
        if let Err(why) = self.try_message(message) {
            self.shown.json.truncate(begin);
            self.base64(&message.encode_to_vec(), &why);
        }
        self.depth -= 1;
    }

    fn base64(&mut self, bytes: &[u8], why: &str) {
        scalar::base64(bytes, &mut self.shown.json);
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path.join(".")) };
        self.shown.notes.push(format!("{path}{why}; it is shown as base64"));
    }

    fn try_message(&mut self, message: &DynamicMessage) -> Result<(), String> {
        if self.depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let descriptor = message.descriptor();
        let name = descriptor.full_name();
        if !is_special(name) {
            self.push("{");
            self.fields(message, true);
            self.push("}");
            return Ok(());
        }
        match name.trim_start_matches("google.protobuf.") {
            "Any" => self.any(&transcoded(message)?)?,
            "Timestamp" => {
                let text = time::write_timestamp(&transcoded(message)?)?;
                scalar::quoted(&text, &mut self.shown.json);
            }
            "Duration" => {
                let text = time::write_duration(&transcoded(message)?)?;
                scalar::quoted(&text, &mut self.shown.json);
            }
            "FieldMask" => {
                let text = mask::write(&transcoded::<prost_types::FieldMask>(message)?.paths)?;
                scalar::quoted(&text, &mut self.shown.json);
            }
            "Value" => self.value(&transcoded(message)?)?,
            "Struct" => self.object(&transcoded(message)?),
            "ListValue" => self.list(&transcoded(message)?),
            wrapper if is_wrapper(wrapper) => {
                let field = descriptor.get_field_by_name("value").ok_or("the wrapper has no value")?;
                scalar::write(&field.kind(), &message.get_field(&field), &mut self.shown.json);
            }
            _ => return Err("unknown JSON form".to_owned()),
        }
        Ok(())
    }

    /// Writes the set fields; `first` if no field precedes them.
    fn fields(&mut self, message: &DynamicMessage, mut first: bool) {
        let fields =
            message.fields().map(|(field, value)| (field.json_name().to_owned(), field.kind(), value));
        let extensions = message
            .extensions()
            .map(|(extension, value)| (extension.json_name().to_owned(), extension.kind(), value));
        for (name, kind, value) in fields.chain(extensions) {
            if !std::mem::take(&mut first) {
                self.push(",");
            }
            scalar::quoted(&name, &mut self.shown.json);
            self.push(":");
            self.path.push(name);
            self.field(&kind, value);
            self.path.pop();
        }
    }

    fn field(&mut self, kind: &Kind, value: &Value) {
        match value {
            Value::Message(message) => self.message(message),
            Value::List(items) => {
                self.push("[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.push(",");
                    }
                    self.field(kind, item);
                }
                self.push("]");
            }
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                // Sorted, for a stable output.
                entries.sort_by_key(|(key, _)| *key);
                let values = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
                self.push("{");
                for (index, (key, value)) in entries.into_iter().enumerate() {
                    if index > 0 {
                        self.push(",");
                    }
                    scalar::quoted(&key_text(key), &mut self.shown.json);
                    self.push(":");
                    self.field(values.as_ref().unwrap_or(kind), value);
                }
                self.push("}");
            }
            value => scalar::write(kind, value, &mut self.shown.json),
        }
    }

    fn any(&mut self, any: &prost_types::Any) -> Result<(), String> {
        if any.type_url.is_empty() {
            return match any.value.is_empty() {
                true => {
                    self.push("{}");
                    Ok(())
                }
                false => Err("missing type".to_owned()),
            };
        }
        self.push("{\"@type\":");
        scalar::quoted(&any.type_url, &mut self.shown.json);
        match self.within(any) {
            Ok(message) if is_special(message.descriptor().full_name()) => {
                self.push(",\"value\":");
                self.message(&message);
            }
            Ok(message) => {
                self.depth += 1;
                self.fields(&message, false);
                self.depth -= 1;
            }
            Err(why) => {
                self.push(",\"value\":");
                self.base64(&any.value, &why);
            }
        }
        self.push("}");
        Ok(())
    }

    /// Decodes the message within the `Any`.
    fn within(&self, any: &prost_types::Any) -> Result<DynamicMessage, String> {
        let name = type_name(&any.type_url).ok_or_else(|| format!("invalid type URL {:?}", any.type_url))?;
        let descriptor = self.types.find(name).ok_or_else(|| format!("unknown type {name}"))?;
        if self.depth >= DEPTH {
            return Err("nested too deeply".to_owned());
        }
        DynamicMessage::decode(descriptor, any.value.as_slice())
            .map_err(|error| format!("not a valid {name}: {error}"))
    }

    fn value(&mut self, value: &prost_types::Value) -> Result<(), String> {
        match &value.kind {
            None | Some(value::Kind::NullValue(_)) => self.push("null"),
            Some(value::Kind::BoolValue(value)) => self.push(if *value { "true" } else { "false" }),
            Some(value::Kind::NumberValue(number)) if number.is_finite() => {
                scalar::write(&Kind::Double, &Value::F64(*number), &mut self.shown.json);
            }
            Some(value::Kind::NumberValue(number)) => {
                return Err(format!("the number {number} has no JSON form in a google.protobuf.Value"));
            }
            Some(value::Kind::StringValue(text)) => scalar::quoted(text, &mut self.shown.json),
            Some(value::Kind::StructValue(object)) => self.object(object),
            Some(value::Kind::ListValue(list)) => self.list(list),
        }
        Ok(())
    }

    /// Writes a value, or its encoding if it has no JSON form.
    fn shown_value(&mut self, value: &prost_types::Value) {
        if let Err(why) = self.value(value) {
            self.base64(&value.encode_to_vec(), &why);
        }
    }

    fn object(&mut self, object: &prost_types::Struct) {
        self.push("{");
        for (index, (name, value)) in object.fields.iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            scalar::quoted(name, &mut self.shown.json);
            self.push(":");
            self.path.push(name.clone());
            self.shown_value(value);
            self.path.pop();
        }
        self.push("}");
    }

    fn list(&mut self, list: &prost_types::ListValue) {
        self.push("[");
        for (index, value) in list.values.iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            self.shown_value(value);
        }
        self.push("]");
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

fn transcoded<T: prost::Message + Default>(message: &DynamicMessage) -> Result<T, String> {
    message.transcode_to().map_err(|error| error.to_string())
}
