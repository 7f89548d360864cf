//! Messages with a descriptor as protobuf's canonical JSON, in both directions.
//!
//! Source: [ProtoJSON](https://protobuf.dev/programming-guides/json/), and protobuf's conformance tests, which settle what
//! it leaves open.

mod any;
mod mask;
mod read;
mod scalar;
mod time;
mod types;
mod unique;
mod write;

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;

pub(super) use self::{
    read::read,
    types::{Question, Types},
    write::{Shown, opaque, write},
};

/// The nesting limit of written messages, including those within `Any`; protobuf's own limit is 100.
const DEPTH: usize = 100;

/// Whether the JSON of a type is not an object of its fields. Within `Any` it is then the field `value`.
fn is_special(name: &str) -> bool {
    let Some(name) = name.strip_prefix("google.protobuf.") else { return false };
    matches!(name, "Any" | "Timestamp" | "Duration" | "FieldMask" | "Struct" | "Value" | "ListValue")
        || is_wrapper(name)
}

/// Whether a message of `google.protobuf` is a wrapper, whose JSON is its value.
fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "DoubleValue"
            | "FloatValue"
            | "Int64Value"
            | "UInt64Value"
            | "Int32Value"
            | "UInt32Value"
            | "BoolValue"
            | "StringValue"
            | "BytesValue"
    )
}
