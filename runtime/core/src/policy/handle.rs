use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};

use super::Policies;

/// Policies that may change while channels use them: a change holds from the next call on, and calls in flight go on as
/// they began. Clones share them.
#[derive(Clone, Default)]
pub struct PolicyHandle(Arc<ArcSwap<Policies>>);

impl PolicyHandle {
    /// These policies, to begin with.
    pub fn new(policies: Policies) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(policies)))
    }

    /// Replaces all of them.
    pub fn set(&self, policies: Policies) {
        self.0.store(Arc::new(policies));
    }

    /// Those that hold now.
    pub fn get(&self) -> Arc<Policies> {
        self.0.load_full()
    }

    /// The same without a count, for every call.
    pub(crate) fn now(&self) -> Guard<Arc<Policies>> {
        self.0.load()
    }
}

impl From<Policies> for PolicyHandle {
    fn from(policies: Policies) -> Self {
        Self::new(policies)
    }
}

impl From<super::Policy> for PolicyHandle {
    fn from(policy: super::Policy) -> Self {
        Self::new(Policies::new(policy))
    }
}

impl fmt::Debug for PolicyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyHandle").field(&self.0.load()).finish()
    }
}
