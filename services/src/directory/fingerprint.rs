//! A fingerprint of a schema: it changes when the schema does.

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::Bytes;
use polywire::ServiceInfo;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use sha2::{Digest as _, Sha256};

/// How many hexadecimal digits of the hash are shown: 64 bits tell a million schemas apart. The fingerprint is not meant to
/// resist forgery.
const DIGITS: usize = 16;

/// Hashes schemas: the methods with their shapes and, where their descriptors are known, all messages that they can carry.
/// Whatever order things are declared in and whatever is said of them in comments, the hash is the same.
#[derive(Clone, Debug)]
pub(super) struct Fingerprints(DescriptorPool);

impl Fingerprints {
    /// Reads encoded `google.protobuf.FileDescriptorSet`s.
    ///
    /// # Panics
    /// When one of them is not that.
    pub(super) fn new(descriptor_sets: &[Bytes]) -> Self {
        let mut pool = DescriptorPool::new();
        for set in descriptor_sets {
            if let Err(error) = pool.decode_file_descriptor_set(set.clone()) {
                panic!("invalid compiled-in file descriptor set: {error}");
            }
        }
        Self(pool)
    }

    /// That of this service: the beginning of a SHA-256, in hexadecimal.
    pub(super) fn of(&self, info: &ServiceInfo) -> String {
        let hash = Sha256::digest(self.text(info));
        let mut digits = hash.iter().fold(String::new(), |mut digits, byte| {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        digits.truncate(DIGITS);
        digits
    }

    /// What is hashed: one text for one schema.
    fn text(&self, info: &ServiceInfo) -> String {
        let described = self.0.get_service_by_name(info.name());
        let mut types = Types::default();
        let mut lines = Vec::new();
        for method in info.methods() {
            let mut line = format!("method {} {}", method.name(), method.shape());
            if method.is_idempotent() {
                line += " idempotent";
            }
            let messages = described.as_ref().and_then(|service| {
                let found = service.methods().find(|described| described.name() == method.name())?;
                Some((found.input(), found.output()))
            });
            if let Some((input, output)) = messages {
                line = format!("{line} ({}) ({})", input.full_name(), output.full_name());
                types.add(&input);
                types.add(&output);
            }
            lines.push(line);
        }
        lines.sort_unstable();
        let lines = lines.into_iter().chain(types.0.into_values());
        lines.fold(format!("service {}\n", info.name()), |text, line| text + &line + "\n")
    }
}

/// Messages and enums by their names, each as a text.
#[derive(Default)]
struct Types(BTreeMap<String, String>);

impl Types {
    fn add(&mut self, message: &MessageDescriptor) {
        if self.0.contains_key(message.full_name()) {
            return;
        }
        // Before what is in it, which may be itself.
        self.0.insert(message.full_name().to_owned(), String::new());
        // By number.
        let fields: BTreeMap<_, _> = message.fields().map(|field| (field.number(), line(&field))).collect();
        let text = fields
            .into_values()
            .fold(format!("message {}", message.full_name()), |text, line| text + "\n" + &line);
        self.0.insert(message.full_name().to_owned(), text);
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) => self.add(&inner),
                Kind::Enum(inner) => self.add_enum(&inner),
                _ => {}
            }
        }
    }

    fn add_enum(&mut self, of: &EnumDescriptor) {
        let mut values: Vec<_> = of.values().map(|value| (value.number(), value.name().to_owned())).collect();
        values.sort_unstable();
        let text = values.into_iter().fold(format!("enum {}", of.full_name()), |text, (number, name)| {
            format!("{text}\nvalue {number} {name}")
        });
        self.0.insert(of.full_name().to_owned(), text);
    }
}

fn line(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let presence = if field.supports_presence() { " optional" } else { "" };
    let oneof = field.containing_oneof().map(|oneof| format!(" of {}", oneof.name())).unwrap_or_default();
    format!("field {} {} {:?} {kind}{presence}{oneof}", field.number(), field.name(), field.cardinality())
}

#[cfg(test)]
mod tests {
    use polywire::Method;
    use prost::Message as _;
    use prost_reflect::prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
        ServiceDescriptorProto,
        field_descriptor_proto::{Label, Type},
    };

    use super::*;

    const GET: Method = Method::unary("/a.v1.A/Get");
    const PUT: Method = Method::unary("/a.v1.A/Put");

    fn info(methods: &'static [Method]) -> ServiceInfo {
        ServiceInfo::new("a.v1.A", "", methods)
    }

    fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some(kind.into()),
            ..FieldDescriptorProto::default()
        }
    }

    /// A service whose method `Get` takes and gives a message of these fields, and the message itself.
    fn described(fields: &[FieldDescriptorProto]) -> Fingerprints {
        let own = FieldDescriptorProto {
            type_name: Some(".a.v1.M".to_owned()),
            ..field("next", 100, Type::Message)
        };
        let message = DescriptorProto {
            name: Some("M".to_owned()),
            field: fields.iter().cloned().chain([own]).collect(),
            ..DescriptorProto::default()
        };
        let method = MethodDescriptorProto {
            name: Some("Get".to_owned()),
            input_type: Some(".a.v1.M".to_owned()),
            output_type: Some(".a.v1.M".to_owned()),
            ..MethodDescriptorProto::default()
        };
        let service = ServiceDescriptorProto {
            name: Some("A".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        };
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some("a.v1".to_owned()),
            message_type: vec![message],
            service: vec![service],
            syntax: Some("proto3".to_owned()),
            ..FileDescriptorProto::default()
        };
        Fingerprints::new(&[FileDescriptorSet { file: vec![file] }.encode_to_vec().into()])
    }

    #[test]
    fn a_schema_has_one_fingerprint_in_whatever_order_it_is_declared() {
        let (name, count) = (field("name", 1, Type::String), field("count", 2, Type::Uint32));
        let of = |fields: &[FieldDescriptorProto]| described(fields).of(&info(&[GET]));
        assert_eq!(of(&[name.clone(), count.clone()]), of(&[count.clone(), name.clone()]));
        assert_eq!(of(&[]).len(), DIGITS);
        let plain = Fingerprints::new(&[]);
        assert_eq!(plain.of(&info(&[GET, PUT])), plain.of(&info(&[PUT, GET])));
    }

    #[test]
    fn whatever_changes_on_the_wire_changes_it() {
        let (name, count) = (field("name", 1, Type::String), field("count", 2, Type::Uint32));
        let of = |fields: &[FieldDescriptorProto]| described(fields).of(&info(&[GET]));
        let before = of(&[name.clone(), count.clone()]);
        let renamed = field("title", 1, Type::String);
        let renumbered = field("count", 3, Type::Uint32);
        let widened = field("count", 2, Type::Uint64);
        let repeated = FieldDescriptorProto { label: Some(Label::Repeated.into()), ..count.clone() };
        for (what, after) in [
            ("removed", vec![name.clone()]),
            ("renamed", vec![renamed, count.clone()]),
            ("renumbered", vec![name.clone(), renumbered]),
            ("of another type", vec![name.clone(), widened]),
            ("repeated", vec![name.clone(), repeated]),
        ] {
            assert_ne!(of(&after), before, "a field {what}");
        }
        let plain = Fingerprints::new(&[]);
        let methods = plain.of(&info(&[GET, PUT]));
        assert_ne!(methods, plain.of(&info(&[GET])), "a method removed");
        const SAFE: Method = Method::unary("/a.v1.A/Put").idempotent();
        assert_ne!(methods, plain.of(&info(&[GET, SAFE])), "a method that may be called twice");
        const STREAM: Method = Method::server_streaming("/a.v1.A/Put");
        assert_ne!(methods, plain.of(&info(&[GET, STREAM])), "a method of another shape");
        assert_ne!(plain.of(&info(&[GET])), before, "its messages are known");
    }
}
