use std::fmt;

/// Why a token is refused, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is no token: what is wrong with the text.
    Malformed(&'static str),
    /// A signature is wrong, a link is not of the key before it, or a link allows more than the one before it.
    Forged,
    /// It was issued by none that is known here.
    UnknownIssuer,
    /// It has expired, this many seconds ago.
    Expired(u64),
    /// A part of it is too large, empty, or has the wrong form.
    Part(String),
    /// A narrowed token would allow more than the token allows.
    Widened(String),
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => write!(f, "malformed token: {problem}"),
            Self::Forged => {
                f.write_str("invalid token: its chain of signatures is broken, or it was widened")
            }
            Self::UnknownIssuer => f.write_str(
                "token of an unknown issuer; expected one of this node or of a member of its cluster",
            ),
            Self::Expired(seconds) => write!(f, "expired token: it was valid until {seconds} s ago"),
            Self::Part(problem) => write!(f, "invalid token: {problem}"),
            Self::Widened(problem) => write!(f, "a token cannot be widened: {problem}"),
        }
    }
}

impl std::error::Error for InvalidToken {}
