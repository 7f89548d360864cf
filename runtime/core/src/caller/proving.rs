use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;

use super::{Caller, Identity};

/// What the last call of a connection made of its caller, for the next call with the same credential.
pub(super) struct LastProved(ArcSwapOption<Caller>);

impl Caller {
    /// The same, with an identity that a call's metadata prove. A connection whose calls prove the same identity gets the
    /// same caller each time, without an allocation.
    pub(crate) fn proving(self: &Arc<Self>, identity: &Arc<Identity>) -> Arc<Self> {
        let last = self.last_proved.0.load();
        if let Some(last) = last.as_ref().filter(|last| last.is_proved_by(self, identity)) {
            return last.clone();
        }
        let proved = Arc::new(Self::clone(self).with_credential(Identity::clone(identity)));
        self.last_proved.0.store(Some(proved.clone()));
        proved
    }

    /// Whether this is the other caller with this credential. All of it is compared, as a caller's parts may change.
    fn is_proved_by(&self, other: &Self, credential: &Identity) -> bool {
        let Some((last, earlier)) = self.credentials.split_last() else { return false };
        last == credential
            && earlier == other.credentials
            && self.forwarded == other.forwarded
            && self.identity.as_ref() == Some(other.identity.as_ref().unwrap_or(credential))
            && self.identity_expires == other.identity_expires
            && self.transport == other.transport
            && self.address == other.address
            && self.is_local == other.is_local
    }
}

impl LastProved {
    pub(super) const fn none() -> Self {
        Self(ArcSwapOption::const_empty())
    }
}

/// A copy has made no call.
impl Clone for LastProved {
    fn clone(&self) -> Self {
        Self::none()
    }
}

/// It makes no difference between callers.
impl PartialEq for LastProved {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LastProved {}

impl fmt::Debug for LastProved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_prove_the_same_have_the_same_caller() {
        let caller = Arc::new(Caller::new("grpc").with_address("192.0.2.1:1"));
        let token = |name: &str| Arc::new(Identity::Token(name.to_owned()));
        let first = caller.proving(&token("a"));
        assert_eq!(*first, Caller::clone(&caller).with_credential(Identity::Token("a".to_owned())));
        assert!(Arc::ptr_eq(&first, &caller.proving(&token("a"))));
        let other = caller.proving(&token("b"));
        assert_eq!(other.identity, Some(Identity::Token("b".to_owned())));
        // A second credential is beside the first one.
        let both = first.proving(&token("b"));
        assert_eq!(both.identities().count(), 2);
        assert!(Arc::ptr_eq(&both, &first.proving(&token("b"))));
    }

    #[test]
    fn a_caller_that_has_changed_is_not_taken_for_what_it_was() {
        let mut caller = Arc::new(Caller::new("grpc").local());
        let token = Arc::new(Identity::Token("a".to_owned()));
        assert!(caller.proving(&token).is_local);
        let changed = Arc::get_mut(&mut caller).unwrap();
        changed.is_local = false;
        assert!(!caller.proving(&token).is_local);
        let changed = Arc::get_mut(&mut caller).unwrap();
        changed.identity = Some(Identity::Uid(7));
        let proved = caller.proving(&token);
        assert_eq!(proved.identity, Some(Identity::Uid(7)));
        assert_eq!(*proved, Caller::clone(&caller).with_credential(Identity::clone(&token)));
    }
}
