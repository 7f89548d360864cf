//! Messages that are known by their descriptors, as protobuf's canonical JSON and back.
//!
//! Source: [ProtoJSON](https://protobuf.dev/programming-guides/json/), and protobuf's own conformance tests, which say what it
//! leaves open.

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

/// How deeply messages may be nested that are written, those within `Any` included; protobuf's own limit is 100.
const DEPTH: usize = 100;

/// Types whose JSON is no object of their fields, so that within `Any` it stands under `value`.
fn is_special(name: &str) -> bool {
    let Some(name) = name.strip_prefix("google.protobuf.") else { return false };
    matches!(name, "Any" | "Timestamp" | "Duration" | "FieldMask" | "Struct" | "Value" | "ListValue")
        || is_wrapper(name)
}

/// Whether a message of `google.protobuf` holds but one value, and is written as that.
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
