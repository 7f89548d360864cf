use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
};

use jsonwebtoken::{Algorithm, jwk::JwkSet};
use serde::Deserialize as _;
use serde_json::Value;

use super::key::Key;

/// The keys of an issuer, as its JWKS file has them (RFC 7517, section 5).
#[derive(Debug)]
pub(super) struct Jwks {
    keys: Vec<Key>,
}

/// Why the keys of an issuer cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidJwks {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file is larger than this many bytes.
    TooLarge(u64),
    /// It is no JWKS: the JSON is malformed, or has another form.
    Malformed(String),
    /// A key is a secret: of a symmetric algorithm, or with its private half.
    Secret(String),
    /// Two keys are for the same tokens.
    Ambiguous(String),
    /// No key verifies signatures with an algorithm that is known here.
    Unusable(String),
}

/// The largest file. Sets of large issuers have some 20 KiB.
const MAX_FILE: u64 = 1 << 20;

/// The members of a key that are secret (RFC 7518, section 6).
const SECRETS: [&str; 6] = ["d", "k", "p", "q", "dp", "priv"];

impl Jwks {
    /// Reads the text of a file.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidJwks> {
        let malformed = |error: serde_json::Error| InvalidJwks::Malformed(error.to_string());
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        let listed = value.get("keys").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| InvalidJwks::Malformed("expected a list \"keys\"".to_owned()))?;
        if let Some(secret) = listed.iter().position(is_secret) {
            return Err(InvalidJwks::Secret(named(secret, &listed[secret])));
        }
        let set = JwkSet::deserialize(&value).map_err(malformed)?;
        let (mut keys, mut left_out) = (Vec::<Key>::new(), Vec::new());
        for (place, jwk) in set.keys.iter().enumerate() {
            let name = || named(place, &listed[place]);
            match Key::of(jwk) {
                Ok(key) if keys.iter().any(|other| other.is_confused_with(&key)) => {
                    return Err(InvalidJwks::Ambiguous(name()));
                }
                Ok(key) => keys.push(key),
                Err(reason) => left_out.push(format!("{} {reason}", name())),
            }
        }
        match keys.is_empty() {
            true => Err(InvalidJwks::Unusable(left_out.join("; "))),
            false => Ok(Self { keys }),
        }
    }

    /// The key of a token with this `kid` and this algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let only = self.keys.len() == 1;
        self.keys.iter().find(|key| key.is_for(id, algorithm, only))
    }
}

/// The text of a JWKS file.
pub(super) fn read(path: &Path) -> Result<String, InvalidJwks> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(InvalidJwks::Unreadable)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(InvalidJwks::Unreadable)?;
    match text.len() as u64 > MAX_FILE {
        true => Err(InvalidJwks::TooLarge(MAX_FILE)),
        false => Ok(text),
    }
}

fn is_secret(key: &Value) -> bool {
    SECRETS.iter().any(|secret| key.get(secret).is_some())
        || key.get("kty").and_then(Value::as_str).is_some_and(|kind| kind == "oct")
}

fn named(place: usize, key: &Value) -> String {
    match key.get("kid").and_then(Value::as_str) {
        Some(id) => format!("the key {id:?}"),
        None => format!("keys[{place}]"),
    }
}

impl fmt::Display for InvalidJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::TooLarge(most) => write!(f, "is too large; expected at most {most} bytes"),
            Self::Malformed(problem) => write!(f, "is no JWKS: {problem}"),
            Self::Secret(key) => write!(f, "has the secret of {key}; expected public keys alone"),
            Self::Ambiguous(key) => {
                write!(f, "has {key} twice for one algorithm; expected one key for each token")
            }
            Self::Unusable(reasons) if reasons.is_empty() => {
                f.write_str("has no keys; expected at least one")
            }
            Self::Unusable(reasons) => write!(
                f,
                "has no usable key; expected one for signatures: RSA of 2048 bits or more, EC on P-256 or P-384, or Ed25519 \
                 ({reasons})"
            ),
        }
    }
}

impl std::error::Error for InvalidJwks {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}
