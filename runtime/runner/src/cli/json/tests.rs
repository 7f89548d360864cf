mod conformance;

use prost::Message as _;
use prost_reflect::prost_types;
use serde_json::{Value as Json, json};

use super::*;
use crate::cli::demo;

fn types() -> Types {
    Types::of([demo::everything(), prost_reflect::DescriptorPool::global()])
}

/// The JSON as it comes out again, or why it is refused.
fn again(name: &str, text: &str) -> Result<Json, String> {
    let descriptor = demo::message(name);
    let mut json = serde_json::Deserializer::from_str(text);
    let message = read(&mut json, &descriptor, &types()).and_then(|message| json.end().map(|()| message));
    let shown = write(&message.map_err(|error| error.to_string())?, &types());
    assert_eq!(shown.notes, [] as [&str; 0], "{text}");
    Ok(serde_json::from_str(&shown.json).unwrap())
}

#[test]
fn whatever_means_the_same_is_taken_and_comes_out_in_one_form() {
    for (text, expected) in [
        (r#"{"any": {}}"#, json!({"any": {}})),
        (
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Empty"}}"#,
            json!({"any": {"@type": "type.googleapis.com/google.protobuf.Empty"}}),
        ),
        (
            r#"{"any": {"value": {}, "@type": "type.googleapis.com/google.protobuf.Empty"}}"#,
            json!({"any": {"@type": "type.googleapis.com/google.protobuf.Empty"}}),
        ),
        (
            r#"{"any": {"name": "x", "@type": "a/demo.v1.Item", "sizes": [1]}}"#,
            json!({"any": {"@type": "a/demo.v1.Item", "name": "x", "sizes": ["1"]}}),
        ),
        (
            r#"{"any": {"@type": "a/google.protobuf.Int64Value", "value": 7}}"#,
            json!({"any": {"@type": "a/google.protobuf.Int64Value", "value": "7"}}),
        ),
        (r#"{"i32": "1e2"}"#, json!({"i32": 100})),
        (r#"{"i32": 1e2}"#, json!({"i32": 100})),
        (r#"{"i32": null, "at": null, "all": null}"#, json!({})),
        (r#"{"at": "2000-01-01T01:00:00.5+01:00"}"#, json!({"at": "2000-01-01T00:00:00.500Z"})),
        (r#"{"at": "9999-12-31T23:59:59.999999999Z"}"#, json!({"at": "9999-12-31T23:59:59.999999999Z"})),
        (r#"{"took": "-0.000001s"}"#, json!({"took": "-0.000001s"})),
        (r#"{"took": "315576000000.0s"}"#, json!({"took": "315576000000s"})),
        (r#"{"mask": "a,fooBar.baz"}"#, json!({"mask": "a,fooBar.baz"})),
        (r#"{"mask": ""}"#, json!({"mask": ""})),
        (r#"{"value": null}"#, json!({"value": null})),
        (r#"{"value": [null, {"a": 1.5}]}"#, json!({"value": [null, {"a": 1.5}]})),
    ] {
        assert_eq!(again("Odds", text).unwrap(), expected, "{text}");
    }
    assert_eq!(
        again("Item", r#"{"barter_for": {"self": "NaN"}}"#).unwrap(),
        json!({"barterFor": {"self": "NaN"}})
    );
    assert_eq!(
        again("Item", r#"{"picture": "_-8", "color": 7}"#).unwrap(),
        json!({"picture": "/+8=", "color": 7})
    );
}

#[test]
fn what_means_nothing_is_refused_and_the_refusal_says_what_was_expected() {
    for (name, text, expected) in [
        ("Odds", r#"{"any": {"i32": 1}}"#, "expected '@type'"),
        ("Odds", r#"{"any": {"@type": ""}}"#, "PREFIX/TYPE"),
        ("Odds", r#"{"any": {"@type": "not_a_url"}}"#, "PREFIX/TYPE"),
        ("Odds", r#"{"any": {"@type": "a/no.Such", "x": 1}}"#, "unknown type no.Such"),
        ("Odds", r#"{"any": {"@type": "a/google.protobuf.Duration"}}"#, "expected 'value'"),
        (
            "Odds",
            r#"{"any": {"@type": "a/google.protobuf.Duration", "value": "1s", "x": 1}}"#,
            "expected 'value'",
        ),
        (
            "Odds",
            r#"{"any": {"@type": "a/demo.v1.Item", "name": "x", "name": "y"}}"#,
            "duplicate name 'name'",
        ),
        ("Odds", r#"{"at": "10000-01-01T00:00:00Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "0000-12-31T23:59:59Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "2000-01-01t00:00:00z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T00:00:60Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T24:00:00Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "2001-02-29T00:00:00Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T00:00:00+24:00"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T00:00:00+00:60"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T08:00:01+0800"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "0001-01-01T00:00:00+00:01"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T00:00:00.1234567890Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "1970-01-01T00:00:00.Z"}"#, "0001-01-01"),
        ("Odds", r#"{"at": "Zähne 1970-01-01T00:00:00"}"#, "0001-01-01"),
        ("Odds", r#"{"took": "1"}"#, "1.5s"),
        ("Odds", r#"{"took": "+1s"}"#, "1.5s"),
        ("Odds", r#"{"took": "1.s"}"#, "1.5s"),
        ("Odds", r#"{"took": "315576000001s"}"#, "1.5s"),
        ("Odds", r#"{"mask": "a,foo_bar"}"#, "lower camel case"),
        ("Odds", r#"{"i32": 0.5}"#, "whole number"),
        ("Odds", r#"{"i32": " 1"}"#, "whole number"),
        ("Odds", r#"{"i32": 2147483648}"#, "whole number"),
        ("Odds", r#"{"i32": true}"#, "whole number"),
        ("Odds", r#"{"i32": ""}"#, "whole number"),
        ("Odds", r#"{"i32": "12,34"}"#, "whole number"),
        ("Odds", r#"{"all": {}}"#, "an array"),
        ("Item", r#"{"color": ["COLOR_RED"]}"#, "COLOR_RED or a number"),
        ("Item", r#"{"color": true}"#, "COLOR_RED or a number"),
        ("Odds", r#"{"i33": 1}"#, "did you mean `i32`?"),
        ("Odds", r#"{"i32": 1, "i32": 1}"#, "duplicate"),
        ("Odds", r#"{"all": [null]}"#, "found null"),
        ("Item", r#"{"parts": {"1": null}}"#, "null"),
        ("Item", r#"{"parts": {"1": {}, "1": {}}}"#, "duplicate"),
        ("Item", r#"{"exact": 1, "barterFor": {}}"#, "oneof 'price'"),
        ("Item", r#"{"barterFor": {}, "barter_for": {}}"#, "duplicate"),
        ("Item", r#"{"sizes": [null]}"#, "whole number"),
        ("Item", r#"{"sizes": ["9223372036854775808"]}"#, "64 bits"),
        ("Item", r#"{"self": 3.5e38}"#, "32 bits"),
        ("Item", r#"{"self": "inf"}"#, "a number"),
        ("Item", r#"{"color": "COLOR_READ"}"#, "did you mean `COLOR_RED`?"),
    ] {
        let error = again(name, text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_place_is_said_up_to_the_field() {
    let error = again("Item", "{\"name\": \"x\",\n \"count\": -1}").unwrap_err();
    assert!(error.ends_with("at line 2 column 13"), "{error}");
}

#[test]
fn the_notes_say_where_and_why() {
    let mut odds = prost_reflect::DynamicMessage::new(demo::message("Odds"));
    let nan = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(f64::INFINITY)) };
    let object = prost_types::Struct { fields: [("deep".to_owned(), nan)].into() };
    let value = prost_types::Value { kind: Some(prost_types::value::Kind::StructValue(object)) };
    let field = demo::message("Odds").get_field_by_name("value").unwrap();
    let kind = field.kind().as_message().unwrap().clone();
    let message = prost_reflect::DynamicMessage::decode(kind, &*value.encode_to_vec()).unwrap();
    odds.set_field(&field, prost_reflect::Value::Message(message));
    let shown = write(&odds, &types());
    assert_eq!(
        shown.notes,
        ["value.deep: the number inf has no JSON form in a google.protobuf.Value; it is shown as base64"]
    );
}
