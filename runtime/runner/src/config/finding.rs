//! Results of checking a whole configuration.

use super::{error::Problem, layer::Layer, origin::Origin};

/// A fault of a configuration, or a setting without effect.
#[derive(Debug)]
pub(super) struct Finding {
    /// The key, followed by `[2]` for an element of a list.
    key: String,
    /// The keys that it conflicts with.
    others: Vec<&'static str>,
    message: String,
}

impl Finding {
    pub(super) fn new<const N: usize>(
        key: impl Into<String>,
        others: [&'static str; N],
        message: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), others: others.into(), message: message.into() }
    }

    /// Whether the other finding's key is this one's or conflicts with it.
    pub(super) fn names_key_of(&self, other: &Self) -> bool {
        self.key == other.key || self.others.contains(&other.key.as_str())
    }

    /// Whether a problem may have caused it: an unreadable value is replaced by its default.
    pub(super) fn is_consequence_of(&self, problems: &[Problem]) -> bool {
        problems.iter().any(|problem| match list(&problem.key) {
            "" => !self.others.is_empty(),
            wrong => list(&self.key) == wrong || self.others.contains(&wrong),
        })
    }

    /// The problem with the origins of all of its keys.
    pub(super) fn placed(self, layers: &Layer) -> Problem {
        let origin = |key: &str| match layers.get(list(key)) {
            Some(_) => layers.origin(key),
            None => Origin::Default,
        };
        let others: Vec<String> = self
            .others
            .iter()
            .map(|key| match origin(key) {
                Origin::Default => format!("{key}: not set"),
                origin => format!("{key}: {origin}"),
            })
            .collect();
        Problem {
            origin: Some(origin(&self.key)),
            key: self.key,
            message: match others.is_empty() {
                true => self.message,
                false => format!("{} ({})", self.message, others.join(", ")),
            },
        }
    }

    /// The problem of a configuration without layers.
    pub(super) fn unplaced(self) -> Problem {
        Problem { origin: None, key: self.key, message: self.message }
    }
}

/// The list's key, for a key with an index.
fn list(key: &str) -> &str {
    key.split_once('[').map_or(key, |(list, _)| list)
}
