use super::{IdentityPattern, MethodPattern};

/// What callers may do: the section `[access]` of the configuration.
///
/// A public method is for every caller, and a member method for members of the cluster. By default, local callers may call
/// every method, and other callers no other one.
///
/// ```
/// use polywire::access::AccessRules;
///
/// let rules = AccessRules::new()
///     .allow(["dns:api.example.org".parse()?], ["inventory.v1.Inventory/*".parse()?]);
/// assert!(rules.trusts_local() && !rules.is_insecure());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    pub(super) trust_local: bool,
    pub(super) insecure: bool,
    pub(super) allow: Vec<(Vec<IdentityPattern>, Vec<MethodPattern>)>,
}

impl AccessRules {
    /// The defaults: local callers may call every method, and there are no rules.
    pub const fn new() -> Self {
        Self { trust_local: true, insecure: false, allow: Vec::new() }
    }

    /// Every caller may call every method.
    pub const fn insecure() -> Self {
        Self { trust_local: true, insecure: true, allow: Vec::new() }
    }

    /// Sets whether [local](crate::Caller::is_local) callers may call every method.
    #[must_use]
    pub const fn trust_local(mut self, trust: bool) -> Self {
        self.trust_local = trust;
        self
    }

    /// Adds a rule: these identities may call these methods.
    #[must_use]
    pub fn allow(
        mut self,
        who: impl IntoIterator<Item = IdentityPattern>,
        what: impl IntoIterator<Item = MethodPattern>,
    ) -> Self {
        self.allow.push((who.into_iter().collect(), what.into_iter().collect()));
        self
    }

    /// The rules, in their order: these identities may call these methods.
    pub fn rules(&self) -> impl Iterator<Item = (&[IdentityPattern], &[MethodPattern])> {
        self.allow.iter().map(|(who, what)| (&**who, &**what))
    }

    /// Whether local callers may call every method.
    pub const fn trusts_local(&self) -> bool {
        self.trust_local
    }

    /// Whether every caller may call every method.
    pub const fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Whether no rule allows anything.
    pub const fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }
}

impl Default for AccessRules {
    fn default() -> Self {
        Self::new()
    }
}
