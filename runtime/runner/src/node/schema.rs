//! Compares the schemas that a node publishes with its services.

use std::collections::BTreeSet;

use prost_reflect::{
    DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
    prost_types::method_options::IdempotencyLevel,
};

use super::NodeError;
use polywire_core::{
    __runner::{MessageType, Recode, directory},
    Method, ServiceInfo,
};

/// Compares the services with their schemas, if they have one.
///
/// # Errors
/// [`NodeError::Schema`] for the first service that differs.
pub(super) fn check(schemas: &DescriptorPool, services: &[ServiceInfo]) -> Result<(), NodeError> {
    for info in services {
        let Some(schema) = schemas.get_service_by_name(info.name()) else { continue };
        let differences = differences(info, &schema);
        if !differences.is_empty() {
            return Err(NodeError::Schema { service: info.name(), differences });
        }
    }
    Ok(())
}

fn differences(info: &ServiceInfo, schema: &ServiceDescriptor) -> Vec<String> {
    let mut differences = Vec::new();
    for method in info.methods() {
        match schema.methods().find(|rpc| rpc.name() == method.name()) {
            Some(rpc) => differences.extend(of_method(method, &rpc)),
            None => differences.push(format!("the trait has {}, which the .proto lacks", method.name())),
        }
    }
    for rpc in schema.methods() {
        if !info.methods().iter().any(|method| method.name() == rpc.name()) {
            differences.push(format!("the .proto has {}, which the trait lacks", rpc.name()));
        }
    }
    differences
}

fn of_method(method: &Method, rpc: &MethodDescriptor) -> Vec<String> {
    let name = method.name();
    let shape = directory::shape(rpc.is_client_streaming(), rpc.is_server_streaming());
    if shape != method.shape() {
        return vec![format!("{name} is {} in the trait, and {shape} in the .proto", method.shape())];
    }
    let mut differences = Vec::new();
    if promises_idempotency(rpc) && !method.is_idempotent() {
        differences.push(format!("{name} is idempotent in the .proto, and not in the trait"));
    }
    if let Some([request, response]) = method.message_types() {
        let request = of_message(request, &rpc.input());
        let response = of_message(response, &rpc.output());
        differences.extend(request.map(|how| format!("the request of {name} {how}")));
        differences.extend(response.map(|how| format!("the response of {name} {how}")));
    }
    differences
}

fn promises_idempotency(rpc: &MethodDescriptor) -> bool {
    let options = rpc.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

/// The difference between a type and a message, by the name if the type has one, and by the fields.
fn of_message(of: &MessageType, schema: &MessageDescriptor) -> Option<String> {
    let message = schema.full_name();
    if let Some(name) = of.name().filter(|name| name != message) {
        return Some(format!("is {name} in the trait, and {message} in the .proto"));
    }
    let recode = of.recode()?;
    let fields: BTreeSet<u32> = schema.fields().map(|field| field.number()).collect();
    let candidates: BTreeSet<u32> = (1..=LIKELY).chain(fields.iter().copied()).collect();
    let known: BTreeSet<u32> = candidates.iter().copied().filter(|field| knows(recode, *field)).collect();
    if known == candidates {
        // A type that keeps all fields matches every message.
        return None;
    }
    if let Some(field) = known.difference(&fields).next() {
        return Some(format!("has a field {field} in the trait, which {message} in the .proto lacks"));
    }
    let lacks = schema.fields().find(|field| !known.contains(&field.number()));
    if let Some(field) = lacks {
        let (name, number) = (field.name(), field.number());
        return Some(format!(
            "lacks in the trait the field `{name}` = {number}, which {message} in the .proto has"
        ));
    }
    let other = schema.fields().find(|field| recode(&sample(field)).is_none())?;
    let (name, number) = (other.name(), other.number());
    Some(format!(
        "has in the trait another type for the field `{name}` = {number} of {message} in the .proto"
    ))
}

/// The highest field number to probe in addition to the schema's. Higher numbers are rare.
const LIKELY: u32 = 64;

/// Whether the type knows a field of this number: it keeps the field or rejects its type. Unknown fields are skipped.
fn knows(recode: Recode, number: u32) -> bool {
    let bytes = field(number, VARINT, &[1]);
    recode(&bytes).is_none_or(|kept| Some(kept) != recode(&[]))
}

/// An encoded field with a value of its type.
fn sample(of: &FieldDescriptor) -> Vec<u8> {
    let number = of.number();
    if of.is_group() {
        return [field(number, START_GROUP, &[]), field(number, END_GROUP, &[])].concat();
    }
    match of.kind() {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => field(number, EIGHT_BYTES, &[0; 8]),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => field(number, FOUR_BYTES, &[0; 4]),
        Kind::String | Kind::Bytes => field(number, COUNTED, &[1, b'x']),
        // An empty message.
        Kind::Message(_) => field(number, COUNTED, &[0]),
        _ => field(number, VARINT, &[1]),
    }
}

/// The wire types of protobuf. Source: [Protocol Buffers,
/// encoding](https://protobuf.dev/programming-guides/encoding/#structure).
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const COUNTED: u8 = 2;
const START_GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FOUR_BYTES: u8 = 5;

/// Encodes a field.
fn field(number: u32, wire_type: u8, value: &[u8]) -> Vec<u8> {
    let mut key = (u64::from(number) << 3) | u64::from(wire_type);
    let mut bytes = Vec::new();
    while key >= 0x80 {
        bytes.push(key as u8 | 0x80);
        key >>= 7;
    }
    bytes.push(key as u8);
    bytes.extend(value);
    bytes
}
