use polywire_core::{
    AccessClass, Truncated,
    access::{InvalidMethodPattern, MethodPattern},
};
use serde::{Deserialize, Serialize};

use super::InvalidToken;

/// What one link of a token's chain allows, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Capability {
    /// The token's name; empty in all links but the first, and there for the id.
    pub(super) name: String,
    /// Where to call; empty in all links but the first.
    pub(super) targets: Vec<String>,
    pub(super) methods: Vec<String>,
    /// The number of calls that this link is good for. Each link has a count of its own.
    pub(super) uses: Option<u32>,
    pub(super) to: Option<[u8; 32]>,
}

const MAX_NAME: usize = 64;
const MAX_TARGETS: usize = 8;
const MAX_TARGET: usize = 512;
const MAX_METHODS: usize = 64;
const MAX_METHOD: usize = 256;

impl Capability {
    /// Refuses what no token may say: it is checked when a token is made, and again when one arrives.
    pub(super) fn check(&self) -> Result<(), InvalidToken> {
        let part = |problem: String| Err(InvalidToken::Part(problem));
        if self.name.len() > MAX_NAME || !self.name.bytes().all(is_of_name) {
            let name = Truncated(&self.name);
            return part(format!(
                "name {name:?}; expected at most {MAX_NAME} letters, digits, '.', '_' and '-'"
            ));
        }
        if self.targets.len() > MAX_TARGETS || self.targets.iter().any(|target| target.len() > MAX_TARGET) {
            return part(format!(
                "too many or too long targets; expected at most {MAX_TARGETS} of at most {MAX_TARGET} bytes"
            ));
        }
        if !(1..=MAX_METHODS).contains(&self.methods.len()) {
            return part(format!("{} methods; expected 1 to {MAX_METHODS}", self.methods.len()));
        }
        for method in &self.methods {
            if method.len() > MAX_METHOD {
                return part(format!(
                    "method {:?} too long; expected at most {MAX_METHOD} bytes",
                    Truncated(method)
                ));
            }
            let pattern: MethodPattern = method
                .parse()
                .map_err(|error: InvalidMethodPattern| InvalidToken::Part(error.to_string()))?;
            if pattern == MethodPattern::Class(AccessClass::Member) {
                return part("method class member; expected another: members prove their keys".to_owned());
            }
        }
        if self.uses == Some(0) {
            return part("0 uses; expected at least 1".to_owned());
        }
        Ok(())
    }

    /// The methods of `other` that this does not allow.
    pub(super) fn lacks<'a>(&'a self, other: &'a [String]) -> impl Iterator<Item = &'a str> {
        let is_allowed = |method: &str| self.methods.iter().any(|own| covers(own, method));
        other.iter().map(String::as_str).filter(move |method| !is_allowed(method))
    }
}

impl rcan::Capability for Capability {
    /// Whether every call that `other` allows is allowed by this.
    fn permits(&self, other: &Self) -> bool {
        self.lacks(&other.methods).next().is_none() && (self.to.is_none() || self.to == other.to)
    }
}

/// Whether the pattern allows everything that the other one allows: it is the same, or all methods of its service.
fn covers(pattern: &str, other: &str) -> bool {
    if pattern == other {
        return true;
    }
    let of_service = |service: &str| other.strip_prefix(service).is_some_and(|rest| rest.starts_with('/'));
    pattern.strip_suffix("/*").is_some_and(of_service)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_covers_its_methods_and_no_other_service() {
        for (pattern, other, is_covered) in [
            ("a.v1.A/Get", "a.v1.A/Get", true),
            ("a.v1.A/*", "a.v1.A/Get", true),
            ("a.v1.A/*", "a.v1.A/*", true),
            ("a.v1.A/Get", "a.v1.A/*", false),
            ("a.v1.A/*", "a.v1.AB/Get", false),
            ("a.v1.A/*", "operator", false),
            ("operator", "operator", true),
            ("operator", "a.v1.A/Get", false),
        ] {
            assert_eq!(covers(pattern, other), is_covered, "{pattern} {other}");
        }
    }
}
