//! JSON as MessagePack and back where nobody knows the messages: by field names alone. Bytes come out as
//! base64; they cannot be put in, for JSON has no word for them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rmpv::Value;
use serde_json::{Map, Number, Value as Json};

pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(fields) => Value::Map(
            fields.iter().map(|(name, value)| (Value::from(name.as_str()), from_json(value))).collect(),
        ),
    }
}

fn from_number(number: &Number) -> Value {
    let signed = number.as_i64().map(Value::from);
    let integer = signed.or_else(|| number.as_u64().map(Value::from));
    integer.or_else(|| number.as_f64().map(Value::from)).unwrap_or(Value::Nil)
}

/// # Errors
/// A key of a map that JSON cannot write, a number that is none, text that is not UTF-8.
pub(super) fn to_json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, number) => number.into(),
        },
        Value::F32(number) => to_number(f64::from(*number))?,
        Value::F64(number) => to_number(*number)?,
        Value::String(text) => text.as_str().ok_or("text is not UTF-8")?.into(),
        Value::Binary(bytes) => BASE64.encode(bytes).into(),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let entry = |(key, value): &(Value, Value)| Ok((to_key(key)?, to_json(value)?));
            Json::Object(entries.iter().map(entry).collect::<Result<Map<_, _>, String>>()?)
        }
        Value::Ext(kind, bytes) => {
            Json::Object(Map::from_iter([(format!("ext {kind}"), BASE64.encode(bytes).into())]))
        }
    })
}

fn to_number(number: f64) -> Result<Json, String> {
    match Number::from_f64(number) {
        Some(number) => Ok(Json::Number(number)),
        // As protobuf's JSON writes them.
        None if number.is_nan() => Ok("NaN".into()),
        None => Ok(if number > 0.0 { "Infinity" } else { "-Infinity" }.into()),
    }
}

fn to_key(key: &Value) -> Result<String, String> {
    match to_json(key)? {
        Json::String(text) => Ok(text),
        key @ (Json::Bool(_) | Json::Number(_)) => Ok(key.to_string()),
        other => Err(format!("{other} is a key of a map")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_json_can_say_survives() {
        let json = json!({
            "null": null, "yes": true, "small": -1, "large": u64::MAX, "smallest": i64::MIN, "half": 0.5,
            "text": "\u{1f980}", "list": [1, [2], {}],
        });
        assert_eq!(to_json(&from_json(&json)).unwrap(), json);
    }

    #[test]
    fn what_json_cannot_say_is_written_as_near_as_it_gets() {
        let cases = [
            (Value::Binary(vec![0, 255]), json!("AP8=")),
            (Value::F64(f64::NAN), json!("NaN")),
            (Value::F32(f32::NEG_INFINITY), json!("-Infinity")),
            (Value::Map(vec![(Value::from(7), Value::Nil)]), json!({"7": null})),
        ];
        for (value, json) in cases {
            assert_eq!(to_json(&value).unwrap(), json);
        }
        assert!(to_json(&Value::Map(vec![(Value::Array(vec![]), Value::Nil)])).is_err());
    }
}
