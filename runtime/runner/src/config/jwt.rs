//! `[[access.jwt]]`: issuers of JSON Web Tokens whose subjects are identities of callers.

use std::{path::PathBuf, time::Duration};

use polywire_core::{Identity, access::IdentityPattern, settings::Setting};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Config, ConfigError, finding::Finding};

/// The issuers `[[access.jwt]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JwtIssuers(pub Vec<JwtIssuer>);

/// An issuer of JSON Web Tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtIssuer {
    /// The `iss` of its tokens, and of rules: `jwt:ISSUER/SUBJECT`.
    pub issuer: String,
    /// The audiences of which a token's `aud` must name one. A single one may be a text.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// The file with its public keys: a JWKS (RFC 7517).
    pub jwks: PathBuf,
    /// By how much its clock may differ from the node's: at most ten minutes.
    #[serde(default = "default_leeway", with = "super::duration")]
    pub leeway: Duration,
}

const fn default_leeway() -> Duration {
    Duration::from_secs(60)
}

/// "Usually no more than a few minutes" (RFC 7519, section 4.1.4).
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

impl Setting for JwtIssuers {
    const EXPECTED: &'static str = "a list of issuers such as [{ issuer = \"https://idp.example.org\", audience = \"inventory\", \
        jwks = \"jwks.json\" }]";
    const ELEMENT: &'static str = "an issuer such as { issuer = \"https://idp.example.org\", audience = \"inventory\", jwks = \
        \"jwks.json\", leeway = \"60s\" }";
}

/// The issuers with their keys; without the feature `jwt`, none.
#[derive(Debug, Default)]
pub(crate) struct Issuers(#[cfg(feature = "jwt")] pub(crate) Vec<crate::jwt::Issuer>);

impl Config {
    /// Reads the files with the keys of `access.jwt`, and checks them.
    ///
    /// # Errors
    /// All files that cannot be read, and those without a usable key.
    pub fn check_jwks(&self) -> Result<(), ConfigError> {
        self.issuers().map(drop)
    }

    /// The issuers of `access.jwt`.
    pub(crate) fn issuers(&self) -> Result<Issuers, ConfigError> {
        let (issuers, found) = read(&self.access.jwt);
        if found.is_empty() {
            return Ok(issuers);
        }
        Err(ConfigError::new(found.into_iter().map(Finding::unplaced).collect()))
    }
}

#[cfg(feature = "jwt")]
fn read(issuers: &JwtIssuers) -> (Issuers, Vec<Finding>) {
    let (mut opened, mut found) = (Issuers::default(), Vec::new());
    for (index, JwtIssuer { issuer, audience, jwks, leeway }) in issuers.0.iter().enumerate() {
        match crate::jwt::Issuer::open(issuer, audience, jwks, *leeway) {
            Ok(issuer) => opened.0.push(issuer),
            Err(error) => {
                found.push(Finding::new(key(index, "jwks"), [], format!("{} {error}", jwks.display())));
            }
        }
    }
    (opened, found)
}

#[cfg(not(feature = "jwt"))]
fn read(_: &JwtIssuers) -> (Issuers, Vec<Finding>) {
    // The configuration's check refuses them.
    (Issuers::default(), Vec::new())
}

fn key(index: usize, field: &str) -> String {
    format!("access.jwt[{index}].{field}")
}

/// Values that no issuer can have, and issuers of a program without the feature.
pub(super) fn malformed(issuers: &JwtIssuers) -> Vec<Finding> {
    let mut found = Vec::new();
    if !cfg!(feature = "jwt") && !issuers.0.is_empty() {
        let problem = "is set, but this binary was built without the feature `jwt`";
        found.push(Finding::new("access.jwt", [], problem));
        return found;
    }
    for (index, issuer) in issuers.0.iter().enumerate() {
        let mut fault = |field, problem: String| found.push(Finding::new(key(index, field), [], problem));
        if !is_name(&issuer.issuer) {
            let problem =
                format!("expected the \"iss\" of tokens without spaces and '*', found {:?}", issuer.issuer);
            fault("issuer", problem);
        }
        if issuers.0[..index].iter().any(|other| other.issuer == issuer.issuer) {
            fault("issuer", format!("expected each issuer once, found {:?} again", issuer.issuer));
        }
        if issuer.audience.is_empty() || issuer.audience.iter().any(String::is_empty) {
            fault("audience", "expected the \"aud\" of tokens for this node, found an empty one".to_owned());
        }
        if issuer.jwks.as_os_str().is_empty() {
            fault("jwks", "expected a path".to_owned());
        }
        if issuer.leeway > LONGEST_LEEWAY {
            fault("leeway", format!("expected at most {LONGEST_LEEWAY:?}, found {:?}", issuer.leeway));
        }
    }
    found
}

/// What is wrong with a rule for subjects of an issuer that the node does not know: it would never apply.
pub(super) fn unknown_issuer(issuers: &JwtIssuers, pattern: &IdentityPattern) -> Option<String> {
    let issuer = match pattern {
        IdentityPattern::One(Identity::Jwt { issuer, .. }) => issuer,
        IdentityPattern::JwtOf(issuer) => &**issuer,
        _ => return None,
    };
    if issuers.0.iter().any(|known| known.issuer == issuer) {
        return None;
    }
    // The issuer ends at the last slash.
    let longer = issuers
        .0
        .iter()
        .any(|known| issuer.strip_prefix(&*known.issuer).is_some_and(|behind| behind.starts_with('/')));
    let hint = match longer {
        true => "a '/' in a subject is written \"%2F\"",
        false => "expected the issuer of an access.jwt",
    };
    Some(format!("no access.jwt has the issuer {issuer:?}; {hint}"))
}

/// What can stand between `jwt:` and `/SUBJECT` in a rule.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }

    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
    })
}
