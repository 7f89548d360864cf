//! JSON as MessagePack and back without a schema. Values that JSON lacks are objects with one reserved key, in both
//! directions: bytes are `{"$bin": "base64"}`, an extension `{"$ext": [type, "base64"]}`, a float that is not finite
//! `{"$float": "NaN"}`, and a map with other keys than text `{"$map": [[key, value], …]}`.

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
        Json::Object(fields) => from_marked(fields).unwrap_or_else(|| {
            let field = |(name, value): (&String, &Json)| (Value::from(name.as_str()), from_json(value));
            Value::Map(fields.iter().map(field).collect())
        }),
    }
}

const BIN: &str = "$bin";
const EXT: &str = "$ext";
const FLOAT: &str = "$float";
const MAP: &str = "$map";

/// The value of an object with a reserved key.
fn from_marked(fields: &Map<String, Json>) -> Option<Value> {
    let mut entries = fields.iter();
    let (Some((mark, value)), None) = (entries.next(), entries.next()) else { return None };
    let bytes = |text: &Json| BASE64.decode(text.as_str()?).ok();
    match mark.as_str() {
        BIN => bytes(value).map(Value::Binary),
        EXT => {
            let [kind, data] = value.as_array()?.as_slice() else { return None };
            Some(Value::Ext(kind.as_i64()?.try_into().ok()?, bytes(data)?))
        }
        FLOAT => match value.as_str()? {
            "NaN" => Some(Value::F64(f64::NAN)),
            "Infinity" => Some(Value::F64(f64::INFINITY)),
            "-Infinity" => Some(Value::F64(f64::NEG_INFINITY)),
            _ => None,
        },
        MAP => {
            let entry = |entry: &Json| match entry.as_array()?.as_slice() {
                [key, value] => Some((from_json(key), from_json(value))),
                _ => None,
            };
            value.as_array()?.iter().map(entry).collect::<Option<_>>().map(Value::Map)
        }
        _ => None,
    }
}

fn marked(mark: &str, value: impl Into<Json>) -> Json {
    Json::Object(Map::from_iter([(mark.to_owned(), value.into())]))
}

fn from_number(number: &Number) -> Value {
    let signed = number.as_i64().map(Value::from);
    let integer = signed.or_else(|| number.as_u64().map(Value::from));
    integer.or_else(|| number.as_f64().map(Value::from)).unwrap_or(Value::Nil)
}

/// # Errors
/// If a text is not UTF-8.
pub(super) fn to_json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, number) => number.into(),
        },
        Value::F32(number) => to_number(f64::from(*number)),
        Value::F64(number) => to_number(*number),
        Value::String(text) => text.as_str().ok_or("text is not UTF-8")?.into(),
        Value::Binary(bytes) => marked(BIN, BASE64.encode(bytes)),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(entries) => to_map(entries)?,
        Value::Ext(kind, bytes) => marked(EXT, vec![Json::from(*kind), BASE64.encode(bytes).into()]),
    })
}

fn to_number(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        // As in protobuf's JSON.
        None if number.is_nan() => marked(FLOAT, "NaN"),
        None => marked(FLOAT, if number > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

fn to_map(entries: &[(Value, Value)]) -> Result<Json, String> {
    let entry = |(key, value): &(Value, Value)| Ok((to_json(key)?, to_json(value)?));
    let entries = entries.iter().map(entry).collect::<Result<Vec<_>, String>>()?;
    if entries.iter().all(|(key, _)| key.is_string()) {
        let field = |(key, value): (Json, Json)| Some((key.as_str()?.to_owned(), value));
        return Ok(Json::Object(entries.into_iter().filter_map(field).collect()));
    }
    Ok(marked(MAP, Vec::from_iter(entries.into_iter().map(|(key, value)| Json::Array(vec![key, value])))))
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
    fn what_json_cannot_say_is_taken_back_as_it_was_printed() {
        let cases = [
            (Value::Binary(vec![0, 255]), json!({"$bin": "AP8="})),
            (Value::Binary(vec![]), json!({"$bin": ""})),
            (Value::F64(f64::NEG_INFINITY), json!({"$float": "-Infinity"})),
            (Value::Map(vec![(Value::from(7), Value::Nil)]), json!({"$map": [[7, null]]})),
            (Value::Ext(-1, vec![1]), json!({"$ext": [-1, "AQ=="]})),
        ];
        for (value, json) in cases {
            assert_eq!(to_json(&value).unwrap(), json);
            assert_eq!(from_json(&json), value);
        }
        assert_eq!(to_json(&Value::F32(f32::NAN)).unwrap(), json!({"$float": "NaN"}));
        assert!(matches!(from_json(&json!({"$float": "NaN"})), Value::F64(number) if number.is_nan()));
    }

    #[test]
    fn an_object_that_only_looks_so_stays_a_map() {
        for json in
            [json!({"$bin": 7}), json!({"$bin": "?"}), json!({"$bin": "", "a": 1}), json!({"$map": [7]})]
        {
            assert_eq!(to_json(&from_json(&json)).unwrap(), json);
        }
    }
}
