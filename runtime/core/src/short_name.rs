//! A service's short name.

use crate::method;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The short name of a service: the last part of its package without the version, such as `health`
/// for `blixard.health.v1`.
///
/// It is an identifier of Protocol Buffers: ASCII letters, digits and `_`, not beginning with a
/// digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortName(String);

impl ShortName {
    /// Whether this is the short name of the service `package.Service`.
    pub fn names(&self, service: &str) -> bool {
        method::short_name(service) == self.0
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShortName {
    type Err = ShortNameError;

    fn from_str(name: &str) -> Result<Self, ShortNameError> {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
        if starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            Ok(Self(name.to_owned()))
        } else {
            Err(ShortNameError)
        }
    }
}

impl TryFrom<String> for ShortName {
    type Error = ShortNameError;

    fn try_from(name: String) -> Result<Self, ShortNameError> {
        name.parse()
    }
}

impl From<ShortName> for String {
    fn from(name: ShortName) -> Self {
        name.0
    }
}

impl AsRef<str> for ShortName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ShortName {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a short name has ASCII letters, digits and `_`, and does not begin with a digit")]
pub struct ShortNameError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_short_names_and_nothing_else_is() {
        for good in ["health", "_x", "raft2", "Key_Value"] {
            assert_eq!(good.parse::<ShortName>().unwrap().as_str(), good);
        }
        for bad in ["", "2raft", "key-value", "blixard.health", "heälth", "a b"] {
            assert_eq!(bad.parse::<ShortName>(), Err(ShortNameError), "{bad:?}");
        }
    }
}
