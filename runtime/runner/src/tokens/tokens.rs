use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use iroh_base::SecretKey;
use parking_lot::RwLock;
use polywire_core::{
    Code, Context, Status,
    access::{Credential, Grant, Members},
};

use super::{
    InvalidToken, Invitation, Narrowing, Token, TokenChange, TokenFile, TokenId, TokenRecord, TokenStore,
    UseRefused, accepted::Accepted, bearer::own_bearer, cache::Cache, seconds::unix_seconds,
};

/// A node's tokens: it issues, lists and revokes them, and is the [`Credential`] that verifies those of calls. Clones share
/// the state.
#[derive(Clone)]
pub struct Tokens(Arc<NodeTokens>);

struct NodeTokens {
    key: SecretKey,
    public: [u8; 32],
    file: TokenFile,
    /// The records of the node's cluster.
    shared: OnceLock<Arc<dyn TokenStore>>,
    members: RwLock<Option<Arc<dyn Members>>>,
    cache: Cache<Accepted>,
    /// Whether a token was accepted that is good for a number of calls.
    has_limits: AtomicBool,
    /// Whether calls are forwarded, whose tokens may be for the node that they are forwarded to.
    passes_on: AtomicBool,
}

/// The longest validity of a token: a year. A token that is revoked must be remembered for as long.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Tokens {
    /// The tokens of the node with this key and this data directory.
    ///
    /// # Errors
    /// If the records of tokens in the directory cannot be read.
    pub fn open(key: SecretKey, data_dir: &Path) -> io::Result<Self> {
        let public = *key.public().as_bytes();
        Ok(Self(Arc::new(NodeTokens {
            key,
            public,
            file: TokenFile::open(data_dir)?,
            shared: OnceLock::new(),
            members: RwLock::default(),
            cache: Cache::default(),
            has_limits: AtomicBool::new(false),
            passes_on: AtomicBool::new(false),
        })))
    }

    /// Keeps the records in this store too, which is the same at all members of the node's cluster. The first one counts.
    pub fn set_shared(&self, store: Arc<dyn TokenStore>) {
        self.0.shared.get_or_init(|| store);
    }

    /// Sets whose tokens are accepted beside those of this node.
    pub fn set_members(&self, members: Arc<dyn Members>) {
        *self.0.members.write() = Some(members);
    }

    /// Takes no notice of tokens that are none of this node or its cluster: the node forwards calls with them to another, which
    /// verifies them.
    pub fn pass_on_others(&self) {
        self.0.passes_on.store(true, Ordering::Relaxed);
    }

    /// The records in the data directory.
    pub fn file(&self) -> &TokenFile {
        &self.0.file
    }

    /// Makes a token and records it.
    ///
    /// # Errors
    /// `InvalidArgument` if a part of the invitation has the wrong form; the reason why it cannot be recorded.
    ///
    /// # Cancel safety
    /// A token whose future is dropped may be recorded; nothing has it then.
    pub async fn issue(&self, invitation: Invitation) -> Result<Token, Status> {
        check(&invitation, SystemTime::now())?;
        let token = Token::issue(&self.0.key, invitation)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.store().change(TokenChange::Issue(TokenRecord::of(&token))).await?;
        Ok(token)
    }

    /// Makes a token for the caller of this call. A caller that was issued a token gets a narrower one of it, as its holder can make by
    /// itself: it allows no more, and ends with it. Any other caller may have any token made that it may call for.
    ///
    /// # Errors
    /// `PermissionDenied` for what the caller's token does not allow; and as [`issue`](Self::issue).
    ///
    /// # Cancel safety
    /// As [`issue`](Self::issue).
    pub async fn issue_to(&self, cx: &Context, invitation: Invitation) -> Result<Token, Status> {
        let is_bound = |text: &&[u8]| self.accepted(text).is_ok_and(|accepted| !accepted.is_of_owner);
        let Some(text) = own_bearer(cx.metadata()).filter(is_bound) else {
            return self.issue(invitation).await;
        };
        check(&invitation, SystemTime::now())?;
        let invalid = |error: InvalidToken| match error {
            InvalidToken::Widened(_) => Status::permission_denied(error.to_string()),
            _ => Status::invalid_argument(error.to_string()),
        };
        if !invitation.name.is_empty() {
            let problem = "a token that is made with a token has its name; expected no other one";
            return Err(Status::invalid_argument(problem));
        }
        let token: Token = String::from_utf8_lossy(text).parse().map_err(invalid)?;
        let Invitation { methods, expires, uses, to, .. } = invitation;
        token.narrow(Narrowing { methods, expires: Some(expires), uses, to }).map_err(invalid)
    }

    /// The records of all tokens, in the order of their expiry.
    ///
    /// # Errors
    /// If they cannot be read.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn list(&self) -> Result<Vec<TokenRecord>, Status> {
        let mut records = self.store().list().await?;
        records.sort_by_key(|record| (record.expires, record.id));
        Ok(records)
    }

    /// Revokes the token with this id and all that it was narrowed to. In a cluster all members learn of it.
    ///
    /// # Errors
    /// If the revocation cannot be recorded.
    ///
    /// # Cancel safety
    /// A revocation whose future is dropped may be recorded all the same.
    pub async fn revoke(&self, id: TokenId) -> Result<(), Status> {
        self.store().change(TokenChange::Revoke(id)).await?;
        if self.0.shared.get().is_some() {
            // So that it outlives the node's membership.
            self.0.file.change(TokenChange::Revoke(id)).await?;
        }
        Ok(())
    }

    /// Counts the call, if its token is good for a number of calls and allows this one. Call it once a call, after the call
    /// was admitted and before it reaches its handler. A token that was never verified is not counted.
    ///
    /// # Errors
    /// `Unauthenticated`, not processed, if the token is used up; `Unavailable` if the use cannot be recorded.
    ///
    /// # Cancel safety
    /// A use whose future is dropped may count.
    pub async fn count(&self, cx: &Context) -> Result<(), Status> {
        let Some(accepted) = self.counted(cx) else { return Ok(()) };
        self.store().change(accepted.usage()).await.map_err(Status::not_processed)
    }

    /// Whether the call's token was good for a number of calls and has been used for as many, as far as this node knows.
    pub fn is_used_up(&self, cx: &Context) -> bool {
        let accepted = own_bearer(cx.metadata()).and_then(|text| self.accepted(text).ok());
        accepted.is_some_and(|accepted| accepted.usage().apply(self.store().record(accepted.id)).is_err())
    }

    /// Whether the call uses up a token that is good for a number of calls.
    pub(crate) fn counts(&self, cx: &Context) -> bool {
        self.counted(cx).is_some()
    }

    /// The call's token, if it is good for a number of calls and admitted this one.
    fn counted(&self, cx: &Context) -> Option<Arc<Accepted>> {
        cx.caller()?;
        if !self.0.has_limits.load(Ordering::Relaxed) {
            return None;
        }
        // A call that was admitted with a token that is not in force was admitted without it.
        let accepted = self.accepted(own_bearer(cx.metadata())?).ok()?;
        let admits = || accepted.methods.iter().any(|pattern| pattern.matches_call(cx));
        (!accepted.limits.is_empty() && admits()).then_some(accepted)
    }

    fn store(&self) -> &dyn TokenStore {
        self.0.shared.get().map_or(&self.0.file, |shared| &**shared)
    }

    /// The token of this text, whose signatures were verified now or before.
    fn accepted(&self, text: &[u8]) -> Result<Arc<Accepted>, Status> {
        if let Some(accepted) = self.0.cache.get(text) {
            return Ok(accepted);
        }
        let text = String::from_utf8_lossy(text);
        let is_known = |issuer: &_| self.is_of_issuer(issuer);
        let accepted = Arc::new(Accepted::verify(&text, is_known).map_err(|error| refused(&error))?);
        if !accepted.limits.is_empty() {
            // Before the token can be found.
            self.0.has_limits.store(true, Ordering::Relaxed);
        }
        self.0.cache.insert(accepted.clone(), unix_seconds(SystemTime::now()));
        Ok(accepted)
    }

    fn is_of_issuer(&self, key: &[u8; 32]) -> bool {
        *key == self.0.public || self.0.members.read().as_ref().is_some_and(|members| members.is_member(key))
    }

    fn check(&self, text: &[u8], cx: &Context) -> Result<Grant, Status> {
        let accepted = self.accepted(text)?;
        let now = unix_seconds(SystemTime::now());
        if now >= accepted.expires {
            return Err(refused(&InvalidToken::Expired(now - accepted.expires)));
        }
        if !self.is_of_issuer(&accepted.issuer) {
            return Err(refused(&InvalidToken::UnknownIssuer));
        }
        if accepted.is_revoked(self.generation(), |id| self.is_revoked(id)) {
            return Err(Status::unauthenticated("revoked token").not_processed());
        }
        match accepted.to {
            Some(to) if !has_proved(cx, &to) => Err(Status::unauthenticated(
                "the token is for another caller; expected a connection that proves the key it was made for",
            )
            .not_processed()),
            _ => Ok(accepted.grant()),
        }
    }

    /// Changes with each change of the records of this node or its cluster; never 0.
    fn generation(&self) -> u64 {
        let shared = self.0.shared.get().map_or(0, |shared| shared.generation());
        // Both only grow.
        1 + self.0.file.generation() + shared
    }

    fn is_revoked(&self, id: TokenId) -> bool {
        self.0.file.is_revoked(id) || self.0.shared.get().is_some_and(|shared| shared.is_revoked(id))
    }
}

impl Credential for Tokens {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let text = own_bearer(cx.metadata())?;
        if self.0.passes_on.load(Ordering::Relaxed) && self.accepted(text).is_err() {
            return None;
        }
        Some(self.check(text, cx))
    }
}

/// Whether the caller has proved this key, by its connection or by a signed proof.
fn has_proved(cx: &Context, key: &[u8; 32]) -> bool {
    let caller = cx.caller();
    caller.is_some_and(|caller| caller.identities().any(|identity| identity.key() == Some(key)))
}

fn check(invitation: &Invitation, now: SystemTime) -> Result<(), Status> {
    let left = invitation.expires.duration_since(now).unwrap_or_default();
    if left.is_zero() {
        return Err(Status::invalid_argument("invalid expiry in the past; expected a later time"));
    }
    if left > LONGEST {
        return Err(Status::invalid_argument("invalid validity; expected at most 366 days"));
    }
    Ok(())
}

fn refused(error: &InvalidToken) -> Status {
    Status::unauthenticated(error.to_string()).not_processed()
}

impl From<UseRefused> for Status {
    fn from(refused: UseRefused) -> Self {
        let code = match refused {
            UseRefused::UsedUp(_) => Code::Unauthenticated,
            UseRefused::TooManyNarrowed => Code::ResourceExhausted,
        };
        Self::new(code, refused.to_string()).not_processed()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("file", &self.0.file.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
