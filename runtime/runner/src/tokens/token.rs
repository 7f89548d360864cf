use std::{fmt, str::FromStr, time::SystemTime};

use iroh_base::{PublicKey, SecretKey};
use rcan::{Authorizer, Expires, Rcan};

use super::{
    InvalidToken, Invitation, Narrowing, TokenId,
    capability::Capability,
    seconds::unix_seconds,
    text::{self, MAX_LINKS},
};

/// A token. Reading one verifies the signature of each link, and [`check`](Self::check) the chain and the time; whether its
/// issuer is to be believed and whether it is revoked is for [`Tokens`](super::Tokens) to judge.
///
/// [`Display`](fmt::Display) writes its text, which is a secret; [`Debug`](fmt::Debug) does not show it.
#[derive(Clone)]
pub struct Token {
    /// At least one link.
    chain: Vec<Rcan<Capability>>,
    secret: SecretKey,
    text: String,
}

/// The name of the tokens that the holder of a node's key makes for itself.
const OWNER: &str = ".owner";

impl Token {
    /// Makes a token that is signed with this node's key.
    ///
    /// # Errors
    /// If a part of the invitation has the wrong form or is too large.
    pub fn issue(issuer: &SecretKey, invitation: Invitation) -> Result<Self, InvalidToken> {
        match &*invitation.name {
            OWNER => Err(InvalidToken::Part(format!("name {OWNER:?}; expected one that is not reserved"))),
            _ => Self::sign(issuer, invitation),
        }
    }

    /// Makes a token by which the holder of a node's key calls that node: it proves no more than the key does.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub(crate) fn of_owner(
        key: &SecretKey,
        methods: Vec<String>,
        expires: SystemTime,
    ) -> Result<Self, InvalidToken> {
        let (name, targets, uses, to) = (OWNER.to_owned(), Vec::new(), None, None);
        Self::sign(key, Invitation { name, targets, methods, expires, uses, to })
    }

    fn sign(issuer: &SecretKey, invitation: Invitation) -> Result<Self, InvalidToken> {
        let secret = SecretKey::generate();
        let Invitation { name, targets, methods, expires, uses, to } = invitation;
        let capability = Capability { name, targets, methods, uses, to };
        capability.check()?;
        let to = secret.public().as_verifying_key();
        let link = Rcan::issuing_builder(issuer.as_signing_key(), to, capability);
        Self::of(vec![link.sign(Expires::At(unix_seconds(expires)))], secret)
    }

    /// Makes a narrower token, without asking its issuer.
    ///
    /// # Errors
    /// [`InvalidToken::Widened`] if it would allow more than this token does; if a part has the wrong form or is too large;
    /// if it was narrowed 7 times already.
    pub fn narrow(&self, narrowing: Narrowing) -> Result<Self, InvalidToken> {
        if self.chain.len() >= MAX_LINKS {
            let most = MAX_LINKS - 1;
            return Err(InvalidToken::Part(format!(
                "narrowed {most} times already; expected at most {most}"
            )));
        }
        let last = self.last();
        let methods = if narrowing.methods.is_empty() { last.methods.clone() } else { narrowing.methods };
        if let Some(method) = last.lacks(&methods).next() {
            let allowed = last.methods.join(", ");
            return Err(InvalidToken::Widened(format!("it does not allow {method}, but {allowed}")));
        }
        if last.to.is_some() && narrowing.to.is_some_and(|to| last.to != Some(to)) {
            return Err(InvalidToken::Widened("it is for another key".to_owned()));
        }
        let expires = narrowing.expires.map_or(self.expires(), unix_seconds);
        if expires > self.expires() {
            return Err(InvalidToken::Widened("it expires earlier".to_owned()));
        }
        let to = narrowing.to.or(last.to);
        let capability =
            Capability { name: String::new(), targets: Vec::new(), methods, uses: narrowing.uses, to };
        capability.check()?;
        let secret = SecretKey::generate();
        let link = Rcan::delegating_builder(
            self.secret.as_signing_key(),
            secret.public().as_verifying_key(),
            *self.first().issuer(),
            capability,
        );
        let mut chain = self.chain.clone();
        chain.push(link.sign(Expires::At(expires)));
        Self::of(chain, secret)
    }

    /// Reads a token of an issuer that is known: of another one, no more than the first link is looked at.
    ///
    /// # Errors
    /// [`InvalidToken::UnknownIssuer`], and as [`from_str`](Self::from_str).
    pub(super) fn read(text: &str, is_known: impl Fn(&[u8; 32]) -> bool) -> Result<Self, InvalidToken> {
        let (chain, secret) = text::read(text, is_known)?;
        Ok(Self { chain, secret, text: text.to_owned() })
    }

    /// Whether the holder of the issuer's key has made it for itself.
    pub(super) fn is_of_owner(&self) -> bool {
        self.chain.len() == 1 && self.first().capability().name == OWNER
    }

    /// Whether it is as it was issued: neither narrowed nor good for a number of calls.
    pub(super) fn is_whole(&self) -> bool {
        self.chain.len() == 1 && self.limits().next().is_none()
    }

    fn of(chain: Vec<Rcan<Capability>>, secret: SecretKey) -> Result<Self, InvalidToken> {
        let text = text::write(&chain, &secret)?;
        Ok(Self { chain, secret, text })
    }

    /// The id of the issued token, which all tokens that it was narrowed to share.
    pub fn id(&self) -> TokenId {
        id(self.first())
    }

    /// The ids of its links, that of the issued token first. The revocation of each of them revokes the token.
    pub fn ids(&self) -> impl Iterator<Item = TokenId> {
        self.chain.iter().map(id)
    }

    /// The links that have a limit of uses, each with its number of calls.
    pub fn limits(&self) -> impl Iterator<Item = (TokenId, u32)> {
        self.chain.iter().filter_map(|link| Some((id(link), link.capability().uses?)))
    }

    /// The public key of the node that has issued it.
    pub fn issuer(&self) -> [u8; 32] {
        self.first().issuer().to_bytes()
    }

    /// The name: its id, unless the issuer has given it one.
    pub fn name(&self) -> String {
        match &*self.first().capability().name {
            "" => self.id().to_string(),
            name => name.to_owned(),
        }
    }

    /// The targets to call, the first preferred.
    pub fn targets(&self) -> &[String] {
        &self.first().capability().targets
    }

    /// The methods that it allows.
    pub fn methods(&self) -> &[String] {
        &self.last().methods
    }

    /// The node key that alone may use it.
    pub fn to(&self) -> Option<[u8; 32]> {
        self.last().to
    }

    /// The end of its validity, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        let at = |link: &Rcan<Capability>| match link.expires() {
            Expires::At(seconds) => *seconds,
            Expires::Never => u64::MAX,
        };
        self.chain.iter().map(at).min().unwrap_or(0)
    }

    /// Verifies that the token is in force at the time that the system's clock shows.
    ///
    /// # Errors
    /// [`InvalidToken::Expired`] if it has expired, [`InvalidToken::Forged`] if its chain is broken or widens.
    pub fn check(&self) -> Result<(), InvalidToken> {
        let now = unix_seconds(SystemTime::now());
        if now >= self.expires() {
            return Err(InvalidToken::Expired(now - self.expires()));
        }
        self.check_chain().map_err(|_| InvalidToken::Forged)
    }

    /// Verifies which key signed for which, and that each link allows what the last one allows.
    fn check_chain(&self) -> Result<(), impl Sized> {
        let links: Vec<_> = self.chain.iter().collect();
        let authorizer = Authorizer::new(*self.first().issuer());
        let holder = self.secret.public().as_verifying_key();
        authorizer.check_invocation_from(holder, self.last().clone(), &links)
    }

    fn first(&self) -> &Rcan<Capability> {
        &self.chain[0]
    }

    fn last(&self) -> &Capability {
        self.chain[self.chain.len() - 1].capability()
    }
}

fn id(link: &Rcan<Capability>) -> TokenId {
    TokenId::of(link.audience().as_bytes())
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Self::read(text, |_| true)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id())
            .field("issuer", &PublicKey::from_bytes(&self.issuer()).ok())
            .field("methods", &self.methods())
            .field("expires", &self.expires())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
