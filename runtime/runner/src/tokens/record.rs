use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Token, TokenId, seconds::unix_seconds};

/// What a node keeps of a token: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenRecord {
    /// The token's id, or that of a narrowed token that was revoked or counted.
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
        /// The token's id.
        id: TokenId,
        /// The number of calls that it is good for.
        limit: u32,
        /// The end of its validity, in seconds since 1970.
        expires: u64,
    },
}

/// The token has been used as often as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp(pub u32);

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
    /// [`UsedUp`] for a use too many. Nothing changes then.
    pub fn apply(self, before: Option<TokenRecord>) -> Result<TokenRecord, UsedUp> {
        let known = before.unwrap_or_else(|| TokenRecord::unknown(self.id()));
        match self {
            // It may have been revoked or used by now.
            Self::Issue(record) => {
                Ok(TokenRecord { used: known.used, revoked: known.revoked || record.revoked, ..record })
            }
            Self::Revoke(_) => Ok(TokenRecord { revoked: true, ..known }),
            Self::Use { limit, .. } if known.used >= limit => Err(UsedUp(limit)),
            Self::Use { limit, expires, .. } => {
                let expires = known.expires.max(expires);
                Ok(TokenRecord { used: known.used + 1, uses: Some(limit), expires, ..known })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_run_out_and_nothing_undoes_a_revocation() {
        let id: TokenId = "0a0a0a0a0a0a0a0a".parse().unwrap();
        let usage = || TokenChange::Use { id, limit: 2, expires: 9 };
        let once = usage().apply(None).unwrap();
        let twice = usage().apply(Some(once)).unwrap();
        assert_eq!((twice.used, twice.uses, twice.expires), (2, Some(2), 9));
        assert_eq!(usage().apply(Some(twice.clone())), Err(UsedUp(2)));
        let revoked = TokenChange::Revoke(id).apply(Some(twice)).unwrap();
        let issued = TokenRecord { name: "late".to_owned(), ..TokenRecord::unknown(id) };
        let after = TokenChange::Issue(issued).apply(Some(revoked)).unwrap();
        assert!(after.revoked);
        assert_eq!((after.used, &*after.name), (2, "late"));
    }
}
