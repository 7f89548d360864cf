//! The details of a failed call: by gRPC's convention a `google.rpc.Status` that contains messages of any type.
//!
//! Source: [the standard details](https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto).

use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DynamicMessage, Value,
    prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions,
        field_descriptor_proto::{Label, Type},
    },
};

use crate::cli::json::{Shown, Types, write};
use polywire_core::Status;

/// The details as lines; `None` if they do not follow gRPC's convention.
pub(in crate::cli) fn shown(status: &Status, types: &Types) -> Option<Shown> {
    let descriptor = standard().get_message_by_name("google.rpc.Status")?;
    let details = DynamicMessage::decode(descriptor, status.details().clone()).ok()?;
    let convention = details.fields().next().is_some() && details.unknown_fields().next().is_none();
    convention.then_some(())?;
    let same = details.get_field_by_name("message")?.as_str() == Some(status.message())
        && details.get_field_by_name("code")?.as_i32() == Some(status.code().number().into());
    if !same {
        return Some(labelled("details", [write(&details, types)]));
    }
    let list = details.get_field_by_name("details")?;
    let messages = list.as_list().unwrap_or_default().iter().filter_map(Value::as_message);
    Some(labelled("detail", messages.map(|message| write(message, types))))
}

fn labelled(label: &str, all: impl IntoIterator<Item = Shown>) -> Shown {
    all.into_iter().fold(Shown::default(), |mut lines, shown| {
        lines.json += &format!("{label}: {}\n", shown.json);
        lines.notes.extend(shown.notes);
        lines
    })
}

/// The standard messages of details.
pub(in crate::cli) fn standard() -> DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let mut pool = DescriptorPool::global();
        // The table below is valid; a test checks it.
        let _ = pool.add_file_descriptor_proto(file());
        pool
    });
    POOL.clone()
}

/// A message of `google.rpc`, nested if its name has a dot, and its fields: name, number and type; `*` marks a repeated
/// field.
type Message = (&'static str, &'static [(&'static str, i32, &'static str)]);

const MESSAGES: &[Message] = &[
    ("Status", &[("code", 1, "int32"), ("message", 2, "string"), ("details", 3, "*.google.protobuf.Any")]),
    (
        "ErrorInfo",
        &[
            ("reason", 1, "string"),
            ("domain", 2, "string"),
            ("metadata", 3, "*.google.rpc.ErrorInfo.MetadataEntry"),
        ],
    ),
    ("ErrorInfo.MetadataEntry", ENTRY),
    ("RetryInfo", &[("retry_delay", 1, ".google.protobuf.Duration")]),
    ("DebugInfo", &[("stack_entries", 1, "*string"), ("detail", 2, "string")]),
    ("QuotaFailure", &[("violations", 1, "*.google.rpc.QuotaFailure.Violation")]),
    (
        "QuotaFailure.Violation",
        &[
            ("subject", 1, "string"),
            ("description", 2, "string"),
            ("api_service", 3, "string"),
            ("quota_metric", 4, "string"),
            ("quota_id", 5, "string"),
            ("quota_dimensions", 6, "*.google.rpc.QuotaFailure.Violation.QuotaDimensionsEntry"),
            ("quota_value", 7, "int64"),
            ("future_quota_value", 8, "int64"),
        ],
    ),
    ("QuotaFailure.Violation.QuotaDimensionsEntry", ENTRY),
    ("PreconditionFailure", &[("violations", 1, "*.google.rpc.PreconditionFailure.Violation")]),
    (
        "PreconditionFailure.Violation",
        &[("type", 1, "string"), ("subject", 2, "string"), ("description", 3, "string")],
    ),
    ("BadRequest", &[("field_violations", 1, "*.google.rpc.BadRequest.FieldViolation")]),
    (
        "BadRequest.FieldViolation",
        &[
            ("field", 1, "string"),
            ("description", 2, "string"),
            ("reason", 3, "string"),
            ("localized_message", 4, ".google.rpc.LocalizedMessage"),
        ],
    ),
    ("RequestInfo", &[("request_id", 1, "string"), ("serving_data", 2, "string")]),
    (
        "ResourceInfo",
        &[
            ("resource_type", 1, "string"),
            ("resource_name", 2, "string"),
            ("owner", 3, "string"),
            ("description", 4, "string"),
        ],
    ),
    ("Help", &[("links", 1, "*.google.rpc.Help.Link")]),
    ("Help.Link", &[("description", 1, "string"), ("url", 2, "string")]),
    ("LocalizedMessage", &[("locale", 1, "string"), ("message", 2, "string")]),
];

/// An entry of a `map<string, string>`.
const ENTRY: &[(&str, i32, &str)] = &[("key", 1, "string"), ("value", 2, "string")];

fn file() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("google/rpc/error_details.proto".to_owned()),
        package: Some("google.rpc".to_owned()),
        dependency: ["any", "duration"].map(|name| format!("google/protobuf/{name}.proto")).into(),
        // proto2 has field presence: only fields that were sent are shown.
        syntax: Some("proto2".to_owned()),
        message_type: within(""),
        ..FileDescriptorProto::default()
    }
}

/// The messages nested in this one; for an empty name, the top-level ones.
fn within(outer: &str) -> Vec<DescriptorProto> {
    let inner = |name: &&str| match name.strip_prefix(outer).and_then(|rest| rest.strip_prefix('.')) {
        Some(rest) => !rest.contains('.'),
        None => outer.is_empty() && !name.contains('.'),
    };
    let messages = MESSAGES.iter().filter(|(name, _)| inner(name));
    messages.map(|(name, fields)| message(name, fields)).collect()
}

fn message(name: &str, fields: &[(&str, i32, &str)]) -> DescriptorProto {
    let entry = MessageOptions { map_entry: Some(true), ..MessageOptions::default() };
    DescriptorProto {
        name: name.rsplit('.').next().map(str::to_owned),
        field: fields.iter().map(|&field_of| field(field_of)).collect(),
        nested_type: within(name),
        options: name.ends_with("Entry").then_some(entry),
        ..DescriptorProto::default()
    }
}

fn field((name, number, kind): (&str, i32, &str)) -> FieldDescriptorProto {
    let (kind, label) = match kind.strip_prefix('*') {
        Some(kind) => (kind, Label::Repeated),
        None => (kind, Label::Optional),
    };
    let (r#type, type_name) = match kind {
        "string" => (Type::String, None),
        "int32" => (Type::Int32, None),
        "int64" => (Type::Int64, None),
        name => (Type::Message, Some(name.to_owned())),
    };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(r#type.into()),
        type_name,
        ..FieldDescriptorProto::default()
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::ReflectMessage as _;
    use serde_json::json;

    use super::*;
    use crate::cli::json::read;

    fn details(json: &serde_json::Value) -> Vec<u8> {
        use prost::Message as _;
        let status = standard().get_message_by_name("google.rpc.Status").unwrap();
        read(json, &status, &Types::of([standard()])).unwrap().encode_to_vec()
    }

    fn any(name: &str, mut fields: serde_json::Value) -> serde_json::Value {
        fields["@type"] = format!("type.googleapis.com/google.rpc.{name}").into();
        fields
    }

    #[test]
    fn every_standard_detail_is_shown_by_its_fields() {
        let all = [
            any("BadRequest", json!({"fieldViolations": [{"field": "a.b", "description": "too long"}]})),
            any("RetryInfo", json!({"retryDelay": "1.500s"})),
            any("ErrorInfo", json!({"reason": "R", "domain": "d", "metadata": {"k": "v"}})),
            any(
                "QuotaFailure",
                json!({"violations": [{"subject": "s", "quotaValue": "0", "quotaDimensions": {"a": "b"}}]}),
            ),
            any("PreconditionFailure", json!({"violations": [{"type": "TOS"}]})),
            any("DebugInfo", json!({"stackEntries": ["a", "b"]})),
            any("RequestInfo", json!({"requestId": "7"})),
            any("ResourceInfo", json!({"owner": "o"})),
            any("Help", json!({"links": [{"url": "https://a.example"}]})),
            any("LocalizedMessage", json!({"locale": "de", "message": "\u{e4}"})),
        ];
        let status = json!({"code": 3, "message": "no", "details": all});
        let status = Status::invalid_argument("no").with_details(details(&status));
        let shown = shown(&status, &Types::of([standard()])).unwrap();
        let lines = shown
            .json
            .lines()
            .map(|line| serde_json::from_str(line.strip_prefix("detail: ").unwrap()).unwrap());
        assert_eq!(lines.collect::<Vec<serde_json::Value>>(), all);
        assert!(shown.notes.is_empty());
    }

    #[test]
    fn a_detail_of_a_type_that_is_not_known_is_base64_and_another_status_is_shown_whole() {
        let unknown = json!({"@type": "type.googleapis.com/a.B", "value": "AP8="});
        let status = Status::aborted("why")
            .with_details(details(&json!({"code": 9, "message": "within", "details": [unknown]})));
        let shown = shown(&status, &Types::of([standard()])).unwrap();
        let line: serde_json::Value =
            serde_json::from_str(shown.json.strip_prefix("details: ").unwrap()).unwrap();
        assert_eq!(line, json!({"code": 9, "message": "within", "details": [unknown]}));
        assert!(shown.notes[0].contains("a.B"), "{:?}", shown.notes);
    }

    #[test]
    fn what_is_no_status_is_not_taken_for_one() {
        for bytes in [&[0, 0xff][..], b"hello world", &[]] {
            let status = Status::aborted("why").with_details(bytes.to_vec());
            assert_eq!(shown(&status, &Types::of([standard()])), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_table_holds_together() {
        assert_eq!(
            standard().get_file_by_name("google/rpc/error_details.proto").unwrap().messages().len(),
            11
        );
        let any = standard().get_message_by_name("google.protobuf.Any").unwrap();
        assert_eq!(DynamicMessage::new(any).descriptor().full_name(), "google.protobuf.Any");
    }
}
