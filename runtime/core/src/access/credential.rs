use std::sync::Arc;

use super::MethodPattern;
use crate::{Context, Identity, Status};

/// Proves an identity by a call's metadata: a token, or a member's signed proof.
pub trait Credential: Send + Sync + 'static {
    /// What the call's metadata prove; `None` if they hold no credential of this kind. The context's caller has the
    /// identities that the connection and the credentials verified before this one have proved.
    ///
    /// It is called once for each call of a caller that may present one, and must not block.
    ///
    /// # Errors
    /// `Unauthenticated`, not processed, if the credential is malformed, expired, revoked, of an unknown issuer, or made
    /// for another callee or key.
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>>;

    /// The same for an open stream, whose credential was verified before and may have expired or been revoked since. It is called
    /// again and again while the stream is open. One that may be presented once only must not be refused here for that.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    fn verify_again(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        self.verify(cx)
    }
}

/// What a [`Credential`] proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The identity of which it is. A credential that is verified again and again gives the same one each time, so that no call
    /// copies it.
    pub identity: Arc<Identity>,
    /// Allows these methods, whatever the rules say.
    pub methods: Option<Arc<[MethodPattern]>>,
    /// Whether what the rules allow the identity is allowed too. It is not for a credential that is narrower than its identity.
    pub by_rules: bool,
}

impl Grant {
    /// What the rules allow this identity.
    pub fn by_rules(identity: impl Into<Arc<Identity>>) -> Self {
        Self { identity: identity.into(), methods: None, by_rules: true }
    }

    /// These methods, and no others, whatever the rules say.
    pub fn of(identity: impl Into<Arc<Identity>>, methods: Arc<[MethodPattern]>) -> Self {
        Self { identity: identity.into(), methods: Some(methods), by_rules: false }
    }
}

/// The members of the node's cluster now.
pub trait Members: Send + Sync + 'static {
    /// Whether the node with this key is a member. It is called for calls of methods for members, and must not block.
    fn is_member(&self, key: &[u8; 32]) -> bool;
}
