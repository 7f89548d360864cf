use std::{collections::BTreeMap, fmt, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{Token, TokenId, seconds::unix_seconds};

/// What a node keeps of a token: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenRecord {
    /// The token's id, or that of a narrowed token that was revoked.
    pub id: TokenId,
    /// Its name; empty if it was not issued by a running node.
    #[serde(default)]
    pub name: String,
    /// The methods that it allows.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The end of its validity, in seconds since 1970; 0 if it is not known.
    #[serde(default)]
    pub expires: u64,
    /// The number of calls that it is good for, if that is limited.
    #[serde(default)]
    pub uses: Option<u32>,
    /// The number of calls that have used it, if they are limited.
    #[serde(default)]
    pub used: u32,
    /// The number of calls that have used each token that it was narrowed to with a limit of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub narrowed: BTreeMap<TokenId, u32>,
    /// The node key that alone may use it, in hexadecimal.
    #[serde(default)]
    pub to: Option<String>,
    /// Whether it was revoked.
    #[serde(default)]
    pub revoked: bool,
}

/// A change of what is kept of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenChange {
    /// A token was issued.
    Issue(TokenRecord),
    /// A token is revoked.
    Revoke(TokenId),
    /// A call uses a token.
    Use {
        /// The id of the issued token.
        id: TokenId,
        /// The links of the token that are good for a number of calls, and that number.
        links: Vec<(TokenId, u32)>,
        /// The end of its validity, in seconds since 1970.
        expires: u64,
    },
}

/// Why a call may not use a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UseRefused {
    /// It was used for this number of calls, and is good for no more.
    UsedUp(u32),
    /// The issued token was narrowed to too many tokens with limits of their own.
    TooManyNarrowed,
}

impl fmt::Display for UseRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsedUp(1) => f.write_str("used-up token: it was good for 1 call"),
            Self::UsedUp(limit) => write!(f, "used-up token: it was good for {limit} calls"),
            Self::TooManyNarrowed => write!(
                f,
                "the issued token was narrowed to too many tokens that are good for a number of calls; expected at most \
                 {MAX_NARROWED}"
            ),
        }
    }
}

/// How many tokens with limits of their own an issued token may be narrowed to: their holder makes them without asking, and each
/// is remembered by the whole cluster until the issued one has expired.
const MAX_NARROWED: usize = 64;

/// How long a record is kept once its token has expired, in seconds: as long as clocks may differ, and for `access list`.
const KEPT: u64 = 24 * 60 * 60;

impl TokenRecord {
    /// The record of a new token.
    pub fn of(token: &Token) -> Self {
        let to = token.to().map(|key| key.iter().map(|byte| format!("{byte:02x}")).collect());
        Self {
            name: token.name(),
            methods: token.methods().to_vec(),
            expires: token.expires(),
            uses: token.limits().map(|(_, limit)| limit).min(),
            to,
            ..Self::unknown(token.id())
        }
    }

    fn unknown(id: TokenId) -> Self {
        Self {
            id,
            name: String::new(),
            methods: Vec::new(),
            expires: 0,
            uses: None,
            used: 0,
            narrowed: BTreeMap::new(),
            to: None,
            revoked: false,
        }
    }

    /// Whether nothing is lost with the record: its token has expired long ago.
    pub fn is_obsolete(&self, now: SystemTime) -> bool {
        self.expires != 0 && self.expires.saturating_add(KEPT) < unix_seconds(now)
    }
}

impl TokenChange {
    /// The id of the token that changes.
    pub const fn id(&self) -> TokenId {
        match self {
            Self::Issue(record) => record.id,
            Self::Revoke(id) | Self::Use { id, .. } => *id,
        }
    }

    /// The record after the change.
    ///
    /// # Errors
    /// For a use too many. Nothing changes then.
    pub fn apply(self, before: Option<TokenRecord>) -> Result<TokenRecord, UseRefused> {
        let known = before.unwrap_or_else(|| TokenRecord::unknown(self.id()));
        match self {
            // It may have been revoked or used by now.
            Self::Issue(record) => {
                let TokenRecord { used, narrowed, revoked, .. } = known;
                Ok(TokenRecord { used, narrowed, revoked: revoked || record.revoked, ..record })
            }
            Self::Revoke(_) => Ok(TokenRecord { revoked: true, ..known }),
            Self::Use { id, links, expires } => known.used_by(id, &links, expires),
        }
    }
}

impl TokenRecord {
    /// The record after a call that uses these links.
    fn used_by(mut self, id: TokenId, links: &[(TokenId, u32)], expires: u64) -> Result<Self, UseRefused> {
        self.expires = self.expires.max(expires);
        for &(link, limit) in links {
            let used = match link == id {
                true => {
                    self.uses = Some(limit);
                    &mut self.used
                }
                false => self.narrowed.entry(link).or_default(),
            };
            if *used >= limit {
                return Err(UseRefused::UsedUp(limit));
            }
            *used += 1;
        }
        match self.narrowed.len() > MAX_NARROWED {
            true => Err(UseRefused::TooManyNarrowed),
            false => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_run_out_and_nothing_undoes_a_revocation() {
        let id: TokenId = "0a0a0a0a0a0a0a0a".parse().unwrap();
        let usage = || TokenChange::Use { id, links: vec![(id, 2)], expires: 9 };
        let once = usage().apply(None).unwrap();
        let twice = usage().apply(Some(once)).unwrap();
        assert_eq!((twice.used, twice.uses, twice.expires), (2, Some(2), 9));
        assert_eq!(usage().apply(Some(twice.clone())), Err(UseRefused::UsedUp(2)));
        let revoked = TokenChange::Revoke(id).apply(Some(twice)).unwrap();
        let issued = TokenRecord { name: "late".to_owned(), ..TokenRecord::unknown(id) };
        let after = TokenChange::Issue(issued).apply(Some(revoked)).unwrap();
        assert!(after.revoked);
        assert_eq!((after.used, &*after.name), (2, "late"));
    }

    #[test]
    fn a_narrowed_token_uses_up_itself_and_the_issued_one_at_once() {
        let [id, narrowed]: [TokenId; 2] =
            ["0a0a0a0a0a0a0a0a", "0b0b0b0b0b0b0b0b"].map(|id| id.parse().unwrap());
        let usage = || TokenChange::Use { id, links: vec![(id, 3), (narrowed, 1)], expires: 9 };
        let once = usage().apply(None).unwrap();
        assert_eq!((once.used, once.narrowed[&narrowed]), (1, 1));
        assert_eq!(usage().apply(Some(once.clone())), Err(UseRefused::UsedUp(1)));
        assert_eq!(once.used, 1, "the issued one is not charged for a refused call");
    }

    #[test]
    fn what_a_holder_makes_of_a_token_is_remembered_within_a_bound() {
        let id = |number: usize| format!("{number:016x}").parse::<TokenId>().unwrap();
        let usage = |link| TokenChange::Use { id: id(0), links: vec![(link, 1)], expires: 9 };
        let full = (1..=MAX_NARROWED).fold(None, |before, link| Some(usage(id(link)).apply(before).unwrap()));
        let refused = usage(id(MAX_NARROWED + 1)).apply(full.clone()).unwrap_err();
        assert_eq!(refused, UseRefused::TooManyNarrowed);
        assert!(refused.to_string().ends_with("expected at most 64"), "{refused}");
        let issued = TokenChange::Use { id: id(0), links: vec![(id(0), 1)], expires: 9 };
        issued.apply(full).unwrap();
    }
}
