use bytes::BytesMut;
use prost::Message as _;

use super::*;
use crate::cli::demo::{self, Item, Price};
use polywire_core::Codec;

/// The message as its type's own serde writes it.
fn packed(item: &Item) -> Bytes {
    let mut buffer = BytesMut::new();
    Codec::MessagePack.encode(item, &mut buffer).unwrap();
    buffer.freeze()
}

fn dynamic(item: &Item) -> DynamicMessage {
    DynamicMessage::decode(demo::message("Item"), item.encode_to_vec().as_slice()).unwrap()
}

/// The message as its own type. Dynamic messages that mean the same need not be equal.
fn typed(message: &DynamicMessage) -> Item {
    Item::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn items() -> Vec<Item> {
    let exact = Item { price: Some(Price::Exact(-0.25)), ..Item::default() };
    vec![Item::default(), demo::full_item(), exact]
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(name, value)| (Value::from(name), value)).into())
}

#[test]
fn what_is_written_is_what_the_type_reads() {
    for item in items() {
        let bytes = Bytes::from(write(&from_message(&dynamic(&item))));
        assert_eq!(Codec::MessagePack.decode::<Item>(bytes).unwrap(), item);
    }
}

#[test]
fn what_the_type_writes_is_read() {
    for item in items() {
        let read = to_message(&read(&packed(&item)).unwrap(), &demo::message("Item")).unwrap();
        assert_eq!(typed(&read), item);
    }
}

#[test]
fn both_write_the_same_fields() {
    let sorted = |value: &Value| {
        let mut names: Vec<_> =
            value.as_map().unwrap().iter().map(|(name, _)| name.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let item = demo::full_item();
    assert_eq!(sorted(&from_message(&dynamic(&item))), sorted(&read(&packed(&item)).unwrap()));
}

#[test]
fn what_is_not_known_is_skipped_and_nil_is_absent() {
    let value = map([
        ("name", Value::from("x")),
        ("later", Value::Array(vec![Value::from(1)])),
        ("inside", Value::Nil),
        ("price", map([("Auction", Value::Nil)])),
    ]);
    let read = to_message(&value, &demo::message("Item")).unwrap();
    assert_eq!(typed(&read), Item { name: "x".to_owned(), ..Item::default() });
}

#[test]
fn bytes_may_be_an_array_of_numbers() {
    let numbers = |second: u32| Value::Array(vec![Value::from(0), Value::from(second)]);
    let read = to_message(&map([("picture", numbers(255))]), &demo::message("Item")).unwrap();
    assert_eq!(typed(&read), Item { picture: vec![0, 255].into(), ..Item::default() });
    assert!(to_message(&map([("picture", numbers(256))]), &demo::message("Item")).is_err());
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_field() {
    let cases = [
        (Value::from(1), "expected a map of fields and found an integer"),
        (map([("name", Value::from(1))]), "name: expected "),
        (map([("count", Value::from(-1))]), "count: expected "),
        (map([("color", Value::from(i64::MAX))]), "color: expected "),
        (map([("sizes", Value::from("x"))]), "sizes: expected an array and found a string"),
        (map([("inside", map([("name", Value::from(true))]))]), "inside: name: expected "),
        (map([("price", Value::from(1))]), "price: expected a map of one variant"),
        (map([("parts", map([("one", map([]))]))]), "parts: expected "),
    ];
    for (value, expected) in cases {
        let error = to_message(&value, &demo::message("Item")).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn nesting_without_end_is_an_error() {
    let mut value = map([]);
    for _ in 0..DEPTH {
        value = map([("inside", value)]);
    }
    assert!(to_message(&value, &demo::message("Item")).unwrap_err().ends_with("nested too deeply"));
    let deep = Bytes::from([vec![0x91; 100_000], vec![0xc0]].concat());
    assert!(read(&deep).is_err());
}

#[test]
fn a_message_fills_its_bytes() {
    assert_eq!(read(&Bytes::from_static(&[0x80, 0xc0])), Err("1 bytes follow the message".to_owned()));
    assert!(read(&Bytes::from_static(&[0x81])).is_err());
}

#[test]
fn names_are_those_that_prost_gives() {
    let fields = [
        ("name", "name"),
        ("fooBar", "foo_bar"),
        ("HTTPPort", "http_port"),
        ("type", "type"),
        ("self", "self_"),
    ];
    for (proto, rust) in fields {
        assert_eq!(field_name(proto), rust);
    }
    for (proto, rust) in [("barter_for", "BarterFor"), ("self", "Self_"), ("ip4", "Ip4")] {
        assert_eq!(variant_name(proto), rust);
    }
}
