use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use polywire_core::{
    Context, Identity, Status, Truncated,
    access::{Credential, Grant},
};
use serde::Deserialize;

use super::{
    InvalidJwks, Issuer, MAX_TEXT,
    form::{claims_of, is_jwt},
    known::Known,
    refused::Refused,
};
use crate::tokens::{Cache, other_bearers, unix_seconds};

/// The JSON Web Tokens that a node accepts: a [`Credential`] by which a caller is `jwt:ISSUER/SUBJECT`. Clones share the issuers.
///
/// The issuers and their keys may change while calls are made. A change holds from the next call on, also for tokens that were
/// verified before.
///
/// ```no_run
/// # fn show() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{sync::Arc, time::Duration};
///
/// use polywire::{access::{AccessControl, AccessRules}, jwt::{Issuer, Jwts}};
///
/// let jwts = Jwts::new();
/// jwts.set([Issuer::open("https://idp.example.org", ["inventory"], "jwks.json", Duration::from_secs(60))?]);
/// let rules = AccessRules::new()
///     .allow(["jwt:https://idp.example.org/ann".parse()?], ["inventory.v1.Inventory/*".parse()?]);
/// let access = AccessControl::new(rules);
/// access.add_credential(Arc::new(jwts));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Jwts(Arc<NodeJwts>);

#[derive(Default)]
struct NodeJwts {
    accepted: ArcSwap<Accepted>,
    /// Held while the issuers change, so that no change is lost.
    changing: Mutex<()>,
    /// Whether calls are forwarded, whose tokens may be for the node that they are forwarded to.
    passes_on: AtomicBool,
}

/// The issuers, and the tokens of them that were verified.
#[derive(Debug, Default)]
struct Accepted {
    issuers: Vec<Issuer>,
    cache: Cache<Known>,
}

/// What each caller learns whose token is refused, whatever is wrong with it.
const REFUSAL: &str = "refused JSON Web Token; expected one of an issuer that this node knows, for its audience, in force, and \
                       signed with a key of the issuer";

impl Jwts {
    /// No issuers: every token is left alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the issuers.
    pub fn set(&self, issuers: impl IntoIterator<Item = Issuer>) {
        let issuers = issuers.into_iter().collect();
        let _changing = self.0.changing.lock();
        self.0.accepted.store(Arc::new(Accepted { issuers, cache: Cache::default() }));
    }

    /// Takes no notice of tokens that are not accepted: the node forwards calls with them to another, which verifies them.
    pub fn pass_on_others(&self) {
        self.0.passes_on.store(true, Ordering::Relaxed);
    }

    /// The files with the issuers' keys.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.accepted.load().issuers.iter().filter_map(Issuer::file).map(Path::to_owned).collect()
    }

    /// Reads the files with the issuers' keys again, and returns those that have changed. The keys of a file that is refused
    /// stay as they are. It blocks on the disk.
    pub fn read_again(&self) -> Vec<(PathBuf, Result<(), InvalidJwks>)> {
        let _changing = self.0.changing.lock();
        let mut outcomes = Vec::new();
        let mut issuers = self.0.accepted.load().issuers.clone();
        let mut is_changed = false;
        for issuer in &mut issuers {
            let outcome = match issuer.read_again() {
                Ok(None) => continue,
                Ok(Some(changed)) => {
                    (*issuer, is_changed) = (changed, true);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            outcomes.extend(issuer.file().map(|file| (file.to_owned(), outcome)));
        }
        if is_changed {
            // With an empty cache, so that tokens of keys that are gone are refused.
            self.0.accepted.store(Arc::new(Accepted { issuers, cache: Cache::default() }));
        }
        outcomes
    }
}

impl Credential for Jwts {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let accepted = self.0.accepted.load();
        if accepted.issuers.is_empty() {
            return None;
        }
        let verified = other_bearers(cx.metadata()).find_map(|text| accepted.verify(text))?;
        Some(match verified {
            Ok(identity) => Ok(Grant::by_rules(identity)),
            Err(_) if self.0.passes_on.load(Ordering::Relaxed) => return None,
            Err(problem) => {
                let caller = cx.caller();
                tracing::debug!(
                    transport = caller.map(|caller| caller.transport),
                    peer = caller.and_then(|caller| caller.address.as_deref()),
                    problem = ?Truncated(&problem.to_string()),
                    "a JSON Web Token is refused"
                );
                Err(Status::unauthenticated(REFUSAL).not_processed())
            }
        })
    }
}

impl Accepted {
    /// The identity that the text proves; `None` if it is no JSON Web Token.
    fn verify(&self, text: &[u8]) -> Option<Result<Arc<Identity>, Refused>> {
        let now = unix_seconds(SystemTime::now());
        if let Some(known) = self.cache.get(text) {
            let is_in_force = known.is_in_force(now);
            return Some(is_in_force.then(|| known.identity.clone()).ok_or(Refused::NotInForce));
        }
        let text = str::from_utf8(text).ok()?;
        is_jwt(text).then(|| self.verify_unknown(text, now))
    }

    fn verify_unknown(&self, text: &str, now: u64) -> Result<Arc<Identity>, Refused> {
        if text.len() > MAX_TEXT {
            return Err(Refused::TooLong(text.len()));
        }
        let name = issuer_of(text)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name() == name);
        let known = issuer.ok_or(Refused::UnknownIssuer(name))?.verify(text)?;
        if !known.is_in_force(now) {
            return Err(Refused::NotInForce);
        }
        let identity = known.identity.clone();
        self.cache.insert(Arc::new(known), now);
        Ok(identity)
    }
}

/// The issuer that the token names, by which its keys are found. Nothing is verified yet.
fn issuer_of(text: &str) -> Result<String, Refused> {
    #[derive(Deserialize)]
    struct Named {
        iss: String,
    }

    let claims = URL_SAFE_NO_PAD.decode(claims_of(text)?);
    let claims = claims.map_err(|_| Refused::Malformed("expected base64url in its claims"))?;
    let named: Result<Named, _> = serde_json::from_slice(&claims);
    named.map(|named| named.iss).map_err(|_| Refused::Malformed("expected claims with an issuer"))
}

impl fmt::Debug for Jwts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwts").field("issuers", &self.0.accepted.load().issuers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
