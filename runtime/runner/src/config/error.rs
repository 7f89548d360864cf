//! The problems of a configuration.

use super::origin::Origin;
use std::fmt;

/// All problems of a configuration.
///
/// [`Display`](fmt::Display) writes one line per problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Sorted by layer and, within a file, by position.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.origin.cmp(&b.origin));
        Self { problems }
    }

    /// The same, with these origins of keys where none is known.
    pub(super) fn placed(self, origin: impl Fn(&str) -> Origin) -> Self {
        let placed = |problem: Problem| Problem {
            origin: problem.origin.or_else(|| Some(origin(&problem.key))),
            ..problem
        };
        Self::new(self.problems.into_iter().map(placed).collect())
    }

    /// The problems, at least one, sorted by layer and position.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A problem: its place, its key and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The origin of the value; `None` for a [`Config`](super::Config) that a program created.
    pub origin: Option<Origin>,
    /// The dotted key; empty for a problem of a whole file.
    pub key: String,
    /// The problem and what was expected, on one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}
