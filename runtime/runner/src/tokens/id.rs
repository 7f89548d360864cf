use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The id of a token, by which it is listed and revoked: the first eight bytes of the key that its signer has delegated to.
/// The signature covers it, so a holder cannot change it. Its text form is 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; 8]);

impl TokenId {
    /// The id of a link that delegates to this key.
    pub(super) fn of(key: &[u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        Self([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is no [`TokenId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTokenId(String);

impl fmt::Display for InvalidTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid token id {:?}; expected 16 hexadecimal digits", self.0)
    }
}

impl std::error::Error for InvalidTokenId {}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let invalid = || InvalidTokenId(text.chars().take(64).collect());
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        u64::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| invalid())
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(text: String) -> Result<Self, InvalidTokenId> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = TokenId::of(&[0x0a; 32]);
        assert_eq!(id.to_string(), "0a0a0a0a0a0a0a0a");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "0a", "0a0a0a0a0a0a0a0g", "+a0a0a0a0a0a0a0a", "0a0a0a0a0a0a0a0a0"] {
            assert!(text.parse::<TokenId>().is_err(), "{text}");
        }
    }
}
