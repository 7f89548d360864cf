use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jsonwebtoken::{Header, Validation, decode, decode_header};
use polywire_core::Identity;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::{
    jwks::{self, InvalidJwks, Jwks},
    known::Known,
    refused::Refused,
    verifier,
};

/// An issuer of tokens that this node accepts.
#[derive(Clone, Debug)]
pub struct Issuer {
    name: String,
    audience: Vec<String>,
    /// Where its keys are read again.
    file: Option<PathBuf>,
    leeway: u64,
    /// The text of the JWKS, by which a change shows, and its keys.
    text: Arc<str>,
    keys: Arc<Jwks>,
}

/// What is read of a token's claims, beside what the library checks.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "seconds")]
    exp: u64,
    #[serde(default, deserialize_with = "seconds")]
    nbf: u64,
}

/// The longest subject, in bytes. OpenID Connect's have at most 255 characters.
const MAX_SUBJECT: usize = 1_024;

impl Issuer {
    /// An issuer: the `iss` of its tokens, the audiences of which a token must name one, the file with its public keys (a JWKS), and
    /// by how much its clock may differ, usually no more than a few minutes (RFC 7519, section 4.1.4). It reads the file.
    ///
    /// # Errors
    /// If the file cannot be read, or has no usable key, or a secret one.
    pub fn open(
        name: impl Into<String>,
        audience: impl IntoIterator<Item = impl Into<String>>,
        file: impl Into<PathBuf>,
        leeway: Duration,
    ) -> Result<Self, InvalidJwks> {
        let file = file.into();
        let text = jwks::read(&file)?;
        Ok(Self { file: Some(file), ..Self::new(name, audience, &text, leeway)? })
    }

    /// The same, with the text of the JWKS: for a program that fetches the keys itself, and [sets](super::Jwts::set) the issuer
    /// again when they change.
    ///
    /// # Errors
    /// If the text has no usable key, or a secret one.
    pub fn new(
        name: impl Into<String>,
        audience: impl IntoIterator<Item = impl Into<String>>,
        jwks: &str,
        leeway: Duration,
    ) -> Result<Self, InvalidJwks> {
        verifier::install();
        Ok(Self {
            name: name.into(),
            audience: audience.into_iter().map(Into::into).collect(),
            file: None,
            leeway: leeway.as_secs(),
            keys: Arc::new(Jwks::parse(jwks)?),
            text: jwks.into(),
        })
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file with its keys, if they are of one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The issuer with the keys that its file has now; `None` if they are the same.
    pub(super) fn read_again(&self) -> Result<Option<Self>, InvalidJwks> {
        let Some(file) = &self.file else { return Ok(None) };
        let text = jwks::read(file)?;
        if *text == *self.text {
            return Ok(None);
        }
        let keys = Arc::new(Jwks::parse(&text)?);
        Ok(Some(Self { keys, text: text.into(), ..self.clone() }))
    }

    /// Verifies a token that says that it is of this issuer.
    pub(super) fn verify(&self, text: &str) -> Result<Known, Refused> {
        let Header { kid, alg, .. } = decode_header(text)?;
        let key = self.keys.find(kid.as_deref(), alg).ok_or_else(|| {
            let kid = kid.map_or_else(|| "no kid".to_owned(), |kid| format!("the kid {kid:?}"));
            Refused::UnknownKey(format!("a token with {kid} and the algorithm {alg:?}"))
        })?;
        let claims = decode::<Claims>(text, &key.decoding, &self.validation(key.validation()))?.claims;
        // The library accepts a list of issuers too, of which the issuer is one.
        if claims.iss != self.name {
            return Err(Refused::UnknownIssuer(claims.iss));
        }
        if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT {
            return Err(Refused::Malformed("expected a subject of 1 to 1024 bytes"));
        }
        Ok(Known {
            text: text.into(),
            identity: Arc::new(Identity::Jwt { issuer: self.name.clone(), subject: claims.sub }),
            begins: claims.nbf.saturating_sub(self.leeway),
            ends: claims.exp.saturating_add(self.leeway),
        })
    }

    fn validation(&self, mut validation: Validation) -> Validation {
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&self.audience);
        validation.leeway = self.leeway;
        validation.validate_nbf = true;
        validation
    }
}

/// A NumericDate (RFC 7519, section 2), which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        let seconds = number.as_f64().filter(|seconds| (0.0..1e15).contains(seconds))?;
        Some(seconds as u64)
    });
    whole.ok_or_else(|| serde::de::Error::custom("expected seconds since 1970"))
}
