use std::fmt;

use serde::de::Error;

/// Why an attempt at a type ended.
#[derive(Debug)]
pub(super) enum Fault {
    /// A field that has no default was not there.
    Missing(&'static str),
    /// A field was there already.
    Twice(&'static str),
    /// What was to be learnt of it has been noted.
    Noted,
    /// The type does not take what was made up.
    Other,
}

impl Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice(field)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Fault {}
