//! Scalar values.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};
use serde_json::{Number, Value as Json};

use super::unique::describe;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Reads a value of this kind, which is not a message.
pub(super) fn read(kind: &Kind, json: &Json) -> Result<Value, String> {
    let value = match kind {
        Kind::Double => float(json).map(Value::F64),
        Kind::Float => float(json).and_then(narrow).map(Value::F32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => whole(json).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => whole(json).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => whole(json).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => whole(json).map(Value::U64),
        Kind::Bool => match json {
            Json::Bool(value) => Some(Value::Bool(*value)),
            _ => None,
        },
        Kind::String => match json {
            Json::String(text) => Some(Value::String(text.clone())),
            _ => None,
        },
        Kind::Bytes => match json {
            Json::String(text) => bytes(text).map(|bytes| Value::Bytes(bytes.into())),
            _ => None,
        },
        Kind::Enum(choices) => return chosen(choices, json).map(Value::EnumNumber),
        Kind::Message(_) => None,
    };
    value.ok_or_else(|| format!("expected {}, found {}", expected(kind), describe(json)))
}

/// Reads the key of a map, which JSON always writes as a string.
pub(super) fn key(kind: &Kind, name: &str) -> Result<MapKey, String> {
    let json = match (kind, name) {
        (Kind::Bool, "true") => Json::Bool(true),
        (Kind::Bool, "false") => Json::Bool(false),
        _ => Json::String(name.to_owned()),
    };
    let key = read(kind, &json).map_err(|error| format!("invalid map key: {error}"))?;
    key.into_map_key().ok_or_else(|| "the map has no keys of this type".to_owned())
}

/// Decodes base64, standard or URL-safe, padded or not.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let url_safe = text.contains(['-', '_']);
    if url_safe { URL_SAFE.decode(text) } else { STANDARD.decode(text) }.ok()
}

fn whole<T: TryFrom<i128>>(json: &Json) -> Option<T> {
    let number = match json {
        Json::Number(number) => integer(number)?,
        Json::String(text) => decimal(text)?,
        _ => return None,
    };
    number.try_into().ok()
}

/// The whole number that a JSON number is; `1e2` and `100.0` are 100.
fn integer(number: &Number) -> Option<i128> {
    // Every whole float below this bound is exact in 128 bits.
    #[allow(clippy::cast_possible_truncation)]
    let from_float = |float: f64| (float.fract() == 0.0 && float.abs() < 1e30).then_some(float as i128);
    number.as_i128().or_else(|| from_float(number.as_f64()?))
}

/// The whole number that a JSON number in a string is, exactly: `1e2` and `100.0` are 100.
fn decimal(text: &str) -> Option<i128> {
    is_number(text).then_some(())?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{behind}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() || significant == "-" {
        return Some(0);
    }
    // The number of places from the point to the last significant digit.
    let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
    let places =
        exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(behind.len()).ok()?)?.checked_add(dropped)?;
    // No integer of 64 bits has more digits.
    let noughts = usize::try_from(places).ok().filter(|places| *places <= MOST_DIGITS)?;
    format!("{significant}{}", "0".repeat(noughts)).parse().ok()
}

/// How many digits an integer of 64 bits has at most.
const MOST_DIGITS: usize = 20;

/// Whether the text is exactly one JSON number, without blanks or a plus sign.
fn is_number(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_digit())
        && text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && serde_json::from_str::<Number>(text).is_ok()
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => is_number(text).then(|| text.parse().ok()).flatten(),
        },
        _ => None,
    }
}

/// The nearest `f32`, unless the number is out of range.
fn narrow(number: f64) -> Option<f32> {
    #[allow(clippy::cast_possible_truncation)]
    let narrow = number as f32;
    (narrow.is_finite() || !number.is_finite()).then_some(narrow)
}

fn chosen(choices: &EnumDescriptor, json: &Json) -> Result<i32, String> {
    let number = match json {
        Json::Null if choices.full_name() == NULL => Some(0),
        Json::String(name) => choices.get_value_by_name(name).map(|value| value.number()),
        number => whole(number),
    };
    number.ok_or_else(|| {
        let names: Vec<_> = choices.values().map(|value| value.name().to_owned()).collect();
        match json {
            Json::String(name) => {
                let near = polywire_core::__runner::nearest(name, names.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                format!("unrecognized enum value '{name}' of {}{near}", choices.full_name())
            }
            json => format!("expected one of {} or a number, found {}", names.join(", "), describe(json)),
        }
    })
}

/// The enum whose only value is null in JSON.
pub(super) const NULL: &str = "google.protobuf.NullValue";

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "a number, or one in a string",
        Kind::Float => "a number of 32 bits, or one in a string",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits, or one in a string",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits, or one in a string",
        Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits without a sign, or one in a string",
        Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits without a sign, or one in a string",
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "base64 in a string",
        Kind::Enum(_) => "a name or a number",
        Kind::Message(_) => "an object",
    }
}

/// Writes a value, which is not a message.
pub(super) fn write(kind: &Kind, value: &Value, out: &mut String) {
    match (value, kind) {
        (Value::Bool(value), _) => out.push_str(if *value { "true" } else { "false" }),
        (Value::I32(number), _) => *out += &number.to_string(),
        (Value::U32(number), _) => *out += &number.to_string(),
        // A string: many JSON readers lack 64-bit integers.
        (Value::I64(number), _) => *out += &format!("\"{number}\""),
        (Value::U64(number), _) => *out += &format!("\"{number}\""),
        (Value::F32(number), _) => match number.is_finite() {
            true => *out += &serde_json::to_string(number).unwrap_or_default(),
            false => out.push_str(not_finite(f64::from(*number))),
        },
        (Value::F64(number), _) => match number.is_finite() {
            true => *out += &serde_json::to_string(number).unwrap_or_default(),
            false => out.push_str(not_finite(*number)),
        },
        (Value::String(text), _) => quoted(text, out),
        (Value::Bytes(bytes), _) => base64(bytes, out),
        (Value::EnumNumber(number), Kind::Enum(choices)) => match choices.get_value(*number) {
            _ if choices.full_name() == NULL => out.push_str("null"),
            Some(value) => quoted(value.name(), out),
            None => *out += &number.to_string(),
        },
        // Compound values are written elsewhere.
        _ => out.push_str("null"),
    }
}

fn not_finite(number: f64) -> &'static str {
    match number {
        number if number.is_nan() => "\"NaN\"",
        number if number > 0.0 => "\"Infinity\"",
        _ => "\"-Infinity\"",
    }
}

/// Writes the text as a JSON string.
pub(super) fn quoted(text: &str, out: &mut String) {
    // Writing a string does not fail.
    *out += &serde_json::to_string(text).unwrap_or_default();
}

/// Writes the bytes as a base64 string.
pub(super) fn base64(bytes: &[u8], out: &mut String) {
    out.push('"');
    base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_string_is_exact() {
        for (text, number) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1e2", Some(100)),
            ("1E+2", Some(100)),
            ("100.00", Some(100)),
            ("1.5e1", Some(15)),
            ("1500e-2", Some(15)),
            ("-9223372036854775808", Some(i64::MIN.into())),
            ("18446744073709551615.0", Some(u64::MAX.into())),
            ("0e999999999", Some(0)),
            ("0.0e-99", Some(0)),
            ("1e999999999", None),
            ("1.5", None),
            ("15e-2", None),
            ("1e-99", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("+1", None),
            ("01", None),
            ("1.", None),
            ("0x1", None),
            ("12abc", None),
        ] {
            assert_eq!(decimal(text), number, "{text:?}");
        }
    }

    #[test]
    fn what_rounds_to_a_float_is_one() {
        assert_eq!(narrow(3.402_823_5e38), Some(f32::MAX));
        assert_eq!(narrow(3.5e38), None);
        assert_eq!(narrow(f64::INFINITY), Some(f32::INFINITY));
        assert!(narrow(f64::NAN).is_some_and(f32::is_nan));
    }
}
