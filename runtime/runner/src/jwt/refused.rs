use std::fmt;

use jsonwebtoken::errors::{Error, ErrorKind};

/// Why a token is refused. It is for the log: callers learn what is expected.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is no token, or one of its parts has the wrong form.
    Malformed(&'static str),
    /// It is too long: so many characters.
    TooLong(usize),
    /// No issuer that this node knows has this name.
    UnknownIssuer(String),
    /// No key of the issuer is for a token with this `kid` and this algorithm.
    UnknownKey(String),
    /// It was verified before, and is not in force any more, or not yet.
    NotInForce,
    /// What the library says.
    Invalid(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => write!(f, "malformed token: {problem}"),
            Self::TooLong(length) => {
                write!(f, "the token has {length} characters; expected at most {}", super::MAX_TEXT)
            }
            Self::UnknownIssuer(issuer) => write!(f, "no access.jwt has the issuer {issuer:?}"),
            Self::UnknownKey(which) => write!(f, "the issuer has no key for {which}"),
            Self::NotInForce => f.write_str("the token has expired"),
            Self::Invalid(error) => match error.kind() {
                ErrorKind::InvalidAlgorithm => f.write_str("the token's algorithm is not that of the key"),
                ErrorKind::InvalidSignature => f.write_str("the signature is not of the issuer's key"),
                ErrorKind::InvalidAudience => f.write_str("the token is for another audience"),
                ErrorKind::ExpiredSignature => f.write_str("the token has expired"),
                ErrorKind::ImmatureSignature => f.write_str("the token is not in force yet"),
                _ => write!(f, "invalid token: {error}"),
            },
        }
    }
}
