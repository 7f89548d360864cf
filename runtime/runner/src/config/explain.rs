//! Error texts from serde's errors.

use crate::section::ReadError;
use serde_path_to_error::Segment;
use toml::Value;

/// The place where serde stopped.
#[derive(Debug)]
pub(super) struct Place {
    /// The dotted key.
    pub(super) key: String,
    /// The index, if that key is a list.
    pub(super) index: Option<usize>,
}

impl Place {
    pub(super) fn of(error: &ReadError) -> Self {
        let mut names = Vec::new();
        let mut index = None;
        for segment in error.path() {
            match segment {
                Segment::Map { key: name } | Segment::Enum { variant: name } => {
                    names.push(name.as_str());
                }
                Segment::Seq { index: at } => {
                    index = Some(*at);
                    break;
                }
                Segment::Unknown => break,
            }
        }
        Self { key: names.join("."), index }
    }
}

/// What was expected and what was found, with serde's reason if it adds information.
pub(super) fn mismatch(expected: Option<&str>, value: &Value, reason: &str) -> String {
    let found = show(value);
    let Some(expected) = expected else {
        return format!("{reason}, found {found}");
    };
    let mere = ["invalid type", "invalid value", "unknown variant", "wanted "];
    if mere.iter().any(|start| reason.starts_with(start)) {
        format!("expected {expected}, found {found}")
    } else {
        let reason = reason.replace('\n', ", ");
        format!("expected {expected}, found {found} ({reason})")
    }
}

/// A value on one line.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => other.to_string().replace('\n', " "),
    }
}
