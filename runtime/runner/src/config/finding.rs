//! What a look at a whole configuration brings up.

use super::{error::Problem, layer::Layer, origin::Origin};

/// Something about a configuration that should not be.
#[derive(Debug)]
pub(super) struct Finding {
    /// The key that it is about, with `[2]` behind it for an element of a list.
    key: String,
    /// The keys that it is at odds with.
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

    /// Whether it is about, or at odds with, what the other one is about.
    pub(super) fn names_key_of(&self, other: &Self) -> bool {
        self.key == other.key || self.others.contains(&other.key.as_str())
    }

    /// Whether it may only be there because a value could not be read and its default stood in.
    pub(super) fn is_consequence_of(&self, problems: &[Problem]) -> bool {
        problems.iter().any(|problem| match list(&problem.key) {
            "" => !self.others.is_empty(),
            wrong => list(&self.key) == wrong || self.others.contains(&wrong),
        })
    }

    /// The problem, with the places of all its keys.
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

    /// The problem in a configuration that came from no layers.
    pub(super) fn unplaced(self) -> Problem {
        Problem { origin: None, key: self.key, message: self.message }
    }
}

/// The key of the list that a key with an index is in.
fn list(key: &str) -> &str {
    key.split_once('[').map_or(key, |(list, _)| list)
}
