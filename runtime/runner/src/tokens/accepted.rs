use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use polywire_core::{
    Identity,
    access::{Grant, MethodPattern},
};

use super::{InvalidToken, Token, TokenChange, TokenId, cache::Remembered};

/// A token whose signatures were verified.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) text: Box<str>,
    pub(super) issuer: [u8; 32],
    pub(super) expires: u64,
    pub(super) to: Option<[u8; 32]>,
    pub(super) limits: Box<[(TokenId, u32)]>,
    pub(super) methods: Arc<[MethodPattern]>,
    /// Whether the rules for its name apply to it: what was made narrower must not become wider by them.
    by_rules: bool,
    pub(super) is_of_owner: bool,
    pub(super) id: TokenId,
    identity: Arc<Identity>,
    ids: Box<[TokenId]>,
    /// The generation of the records in which the token was not revoked; 0 for none.
    unrevoked: AtomicU64,
}

impl Accepted {
    /// The token of this text, if its issuer is known, its signatures are right and it is in force.
    pub(super) fn verify(text: &str, is_known: impl Fn(&[u8; 32]) -> bool) -> Result<Self, InvalidToken> {
        let token = Token::read(text, is_known)?;
        token.check()?;
        let methods: Result<_, _> = token.methods().iter().map(|method| method.parse()).collect();
        Ok(Self {
            text: text.into(),
            issuer: token.issuer(),
            expires: token.expires(),
            to: token.to(),
            limits: token.limits().collect(),
            methods: methods.map_err(|_| InvalidToken::Malformed("a method pattern is malformed"))?,
            by_rules: token.is_whole(),
            is_of_owner: token.is_of_owner(),
            id: token.id(),
            identity: Arc::new(Identity::Token(token.name())),
            ids: token.ids().collect(),
            unrevoked: AtomicU64::new(0),
        })
    }

    pub(super) fn grant(&self) -> Grant {
        let (identity, methods) = (self.identity.clone(), Some(self.methods.clone()));
        Grant { identity, methods, by_rules: self.by_rules }
    }

    /// The change by a call that uses the token.
    pub(super) fn usage(&self) -> TokenChange {
        TokenChange::Use { id: self.id, links: self.limits.to_vec(), expires: self.expires }
    }

    /// Whether a link of the token is revoked. It is looked up once in each generation of the records.
    pub(super) fn is_revoked(&self, generation: u64, is_revoked: impl Fn(TokenId) -> bool) -> bool {
        if self.unrevoked.load(Ordering::Relaxed) == generation && generation != 0 {
            return false;
        }
        let revoked = self.ids.iter().any(|id| is_revoked(*id));
        if !revoked {
            self.unrevoked.store(generation, Ordering::Relaxed);
        }
        revoked
    }
}

impl Remembered for Accepted {
    fn text(&self) -> &str {
        &self.text
    }

    fn is_over(&self, now: u64) -> bool {
        now >= self.expires
    }
}
