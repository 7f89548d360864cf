//! The name of a protocol that stands for one service.

use crate::{ShortName, ShortNameError};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An ALPN protocol name that is bound to one service: `prefix/short_name/major`, for instance
/// `blixard/health/1`.
///
/// The prefix has ASCII letters, digits, `.`, `_` and `-`; `polywire` is reserved. The major version
/// starts at 1. The whole is at most 255 bytes, the most that ALPN carries
/// ([RFC 7301, section 3.1](https://www.rfc-editor.org/rfc/rfc7301#section-3.1)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlpnName {
    prefix: String,
    service: ShortName,
    major: u32,
}

const MAX_LENGTH: usize = 255;
const RESERVED: &str = "polywire";

impl AlpnName {
    /// The part before the first slash: whose protocol it is.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The short name of the service that answers on such a connection.
    pub fn service(&self) -> &ShortName {
        &self.service
    }

    /// The major version of that service.
    pub fn major(&self) -> u32 {
        self.major
    }
}

impl FromStr for AlpnName {
    type Err = AlpnError;

    fn from_str(name: &str) -> Result<Self, AlpnError> {
        if name.len() > MAX_LENGTH {
            return Err(AlpnError::TooLong(name.len()));
        }
        if name.split('/').next() == Some(RESERVED) {
            return Err(AlpnError::Reserved);
        }
        let parts: Vec<&str> = name.split('/').collect();
        let &[prefix, service, major] = parts.as_slice() else {
            return Err(AlpnError::Shape);
        };
        Ok(Self { prefix: parse_prefix(prefix)?, service: service.parse()?, major: parse_major(major)? })
    }
}

fn parse_prefix(prefix: &str) -> Result<String, AlpnError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if prefix.is_empty() || !prefix.bytes().all(allowed) {
        return Err(AlpnError::Prefix);
    }
    Ok(prefix.to_owned())
}

/// Only the shortest spelling is a version, so that two names are equal exactly when their bytes
/// on the wire are.
fn parse_major(major: &str) -> Result<u32, AlpnError> {
    if !major.starts_with(|first: char| matches!(first, '1'..='9')) {
        return Err(AlpnError::Major);
    }
    major.parse().map_err(|_| AlpnError::Major)
}

impl TryFrom<String> for AlpnName {
    type Error = AlpnError;

    fn try_from(name: String) -> Result<Self, AlpnError> {
        name.parse()
    }
}

impl From<AlpnName> for String {
    fn from(name: AlpnName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for AlpnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.prefix, self.service, self.major)
    }
}

/// Why a text is not the name of a service's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlpnError {
    /// It does not have three parts.
    #[error("the name does not have the form prefix/short_name/major")]
    Shape,
    /// The prefix is empty or has other characters.
    #[error("the prefix has ASCII letters, digits, `.`, `_` and `-`")]
    Prefix,
    /// The second part is not a short name.
    #[error(transparent)]
    Service(#[from] ShortNameError),
    /// The third part is not a version.
    #[error("the major version is a whole number from 1, without leading zeros")]
    Major,
    /// It is longer than ALPN can carry.
    #[error("the name has {0} bytes, ALPN carries at most 255")]
    TooLong(usize),
    /// It begins with the prefix that the framework keeps for itself.
    #[error("names that begin with `polywire/` are reserved")]
    Reserved,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_has_prefix_service_and_major() {
        let name: AlpnName = "blixard/health/12".parse().unwrap();
        assert_eq!(name.prefix(), "blixard");
        assert_eq!(name.service().as_str(), "health");
        assert_eq!(name.major(), 12);
    }

    #[test]
    fn each_wrong_part_has_its_own_error() {
        let error = |name: &str| name.parse::<AlpnName>().unwrap_err();
        assert_eq!(error("health"), AlpnError::Shape);
        assert_eq!(error("a/b/c/1"), AlpnError::Shape);
        assert_eq!(error("/health/1"), AlpnError::Prefix);
        assert_eq!(error("bli xard/health/1"), AlpnError::Prefix);
        assert_eq!(error("blixard/he-alth/1"), AlpnError::Service(ShortNameError));
        for major in ["", "0", "01", "+1", "v1", "4294967296"] {
            assert_eq!(error(&format!("blixard/health/{major}")), AlpnError::Major, "{major:?}");
        }
        assert_eq!(error("polywire/1"), AlpnError::Reserved);
        assert_eq!(error("polywire/health/1"), AlpnError::Reserved);
    }

    #[test]
    fn a_name_of_255_bytes_is_the_longest() {
        let of_length = |length: usize| format!("{}/health/1", "p".repeat(length - 9));
        assert!(of_length(255).parse::<AlpnName>().is_ok());
        assert_eq!(of_length(256).parse::<AlpnName>(), Err(AlpnError::TooLong(256)));
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(text in "\\PC{0,12}|[a-z]{0,3}/[a-z]{0,3}/[0-9+]{0,3}") {
            if let Ok(name) = text.parse::<AlpnName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
