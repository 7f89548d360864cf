use std::{fmt, str::FromStr};

use crate::Identity;

/// Identities that a rule is for. Its text form, by [`Display`](fmt::Display) and [`FromStr`], is that of the
/// configuration's `[[access.allow]] who`: that of an [`Identity`], `anyone`, or a prefix of SPIFFE ids or of an issuer's
/// tokens that ends in `/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentityPattern {
    /// Every caller, also one that has proved nothing: `anyone`.
    Anyone,
    /// One identity.
    One(Identity),
    /// All SPIFFE ids under a path: `spiffe://example.org/ns/*`. It holds the text before the `*`.
    SpiffeUnder(Box<str>),
    /// All subjects of an issuer of JSON Web Tokens: `jwt:ISSUER/*`. It holds the issuer.
    JwtOf(Box<str>),
}

impl IdentityPattern {
    /// Whether the pattern holds for this identity.
    ///
    /// ```
    /// use polywire::{Identity, access::IdentityPattern};
    ///
    /// let pattern: IdentityPattern = "spiffe://example.org/ns/*".parse()?;
    /// assert!(pattern.matches(&Identity::Spiffe("spiffe://example.org/ns/shop".to_owned())));
    /// assert!(!pattern.matches(&Identity::Spiffe("spiffe://example.org/nsx/shop".to_owned())));
    /// # Ok::<_, polywire::access::InvalidIdentityPattern>(())
    /// ```
    pub fn matches(&self, identity: &Identity) -> bool {
        match (self, identity) {
            (Self::Anyone, _) => true,
            (Self::One(one), identity) => one == identity,
            (Self::SpiffeUnder(prefix), Identity::Spiffe(id)) => {
                id.strip_prefix(&**prefix).is_some_and(is_plain_path)
            }
            (Self::JwtOf(own), Identity::Jwt { issuer, .. }) => **own == **issuer,
            _ => false,
        }
    }
}

/// Whether a path is of segments with names, as SPIFFE asks for: none empty, `.` or `..`.
fn is_plain_path(path: &str) -> bool {
    path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

impl From<Identity> for IdentityPattern {
    fn from(identity: Identity) -> Self {
        Self::One(identity)
    }
}

impl fmt::Display for IdentityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::One(identity) => identity.fmt(f),
            Self::SpiffeUnder(prefix) => write!(f, "{prefix}*"),
            Self::JwtOf(issuer) => write!(f, "jwt:{issuer}/*"),
        }
    }
}

/// The text is no [`IdentityPattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidIdentityPattern(String);

impl fmt::Display for InvalidIdentityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid identity pattern {:?}; expected \"anyone\", key:NODE_ID, spiffe://TRUST_DOMAIN/PATH, \
             spiffe://TRUST_DOMAIN/PATH/*, dns:NAME, uid:NUMBER, token:NAME, jwt:ISSUER/SUBJECT or jwt:ISSUER/*",
            self.0
        )
    }
}

impl std::error::Error for InvalidIdentityPattern {}

impl FromStr for IdentityPattern {
    type Err = InvalidIdentityPattern;

    fn from_str(text: &str) -> Result<Self, InvalidIdentityPattern> {
        parse(text).ok_or_else(|| InvalidIdentityPattern(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<IdentityPattern> {
    if text == "anyone" {
        return Some(IdentityPattern::Anyone);
    }
    let Some(prefix) = text.strip_suffix('*') else {
        let identity = text.parse().ok()?;
        // A star elsewhere would be taken for a wildcard and match nothing.
        return (!text.contains('*') && is_well_formed(&identity)).then_some(IdentityPattern::One(identity));
    };
    if prefix.contains('*') {
        return None;
    }
    let before = prefix.strip_suffix('/')?;
    if let Some(path) = before.strip_prefix("spiffe://") {
        return is_plain_path(path).then(|| IdentityPattern::SpiffeUnder(prefix.into()));
    }
    let issuer = before.strip_prefix("jwt:").filter(|issuer| !issuer.is_empty())?;
    Some(IdentityPattern::JwtOf(issuer.into()))
}

fn is_well_formed(identity: &Identity) -> bool {
    match identity {
        Identity::Spiffe(id) => id.strip_prefix("spiffe://").is_some_and(is_plain_path),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_as_it_is_written() {
        let key = format!("key:{}", "0a".repeat(32));
        for text in [
            &*key,
            "anyone",
            "spiffe://example.org/ns/a",
            "spiffe://example.org/*",
            "dns:api.example.org",
            "uid:1000",
            "token:ci",
            "jwt:https://idp/me",
            "jwt:https://idp/*",
        ] {
            assert_eq!(text.parse::<IdentityPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_pattern_names_the_text_and_the_forms() {
        for text in [
            "",
            "*",
            "everyone",
            "Anyone",
            "key:*",
            "uid:*",
            "dns:*.example.org",
            "token:*",
            "spiffe://*",
            "spiffe:///*",
            "spiffe://example.org/n*",
            "spiffe://example.org/*/a",
            "spiffe://example.org//a",
            "jwt:/*",
            "jwt:*",
        ] {
            let error = text.parse::<IdentityPattern>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("invalid identity pattern {text:?}; expected \"anyone\"")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_wildcard_holds_on_the_boundary_of_a_path() {
        let pattern: IdentityPattern = "spiffe://example.org/ns/*".parse().unwrap();
        for (id, matches) in [
            ("spiffe://example.org/ns/a", true),
            ("spiffe://example.org/ns/a/b", true),
            ("spiffe://example.org/ns", false),
            ("spiffe://example.org/ns/", false),
            ("spiffe://example.org/nsx/a", false),
            ("spiffe://example.org/ns/../admin", false),
            ("spiffe://example.org.evil/ns/a", false),
        ] {
            assert_eq!(pattern.matches(&Identity::Spiffe(id.to_owned())), matches, "{id}");
        }
    }

    #[test]
    fn an_issuer_is_matched_whole() {
        let pattern: IdentityPattern = "jwt:https://idp/*".parse().unwrap();
        for (issuer, matches) in [("https://idp", true), ("https://idp/other", false), ("https://id", false)]
        {
            let identity = Identity::Jwt { issuer: issuer.to_owned(), subject: "me".to_owned() };
            assert_eq!(pattern.matches(&identity), matches, "{issuer}");
        }
    }
}
