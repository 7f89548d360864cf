use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

use super::{
    AccessRules, Authorize, Credential, Grant, Lease, Members,
    compiled::Compiled,
    lease::{AskAgain, OpenStreams},
    method_pattern::class_of,
    on_behalf, refusal,
};
use crate::{AccessClass, Caller, Context, Identity, Status};

/// Decides about calls by rules, by the credentials in their metadata, and by the membership of the cluster.
///
/// In this order: every caller may call a public method; with [`AccessRules::insecure`], every method; a local caller may
/// call every method, unless [`AccessRules::trust_local`] is off; a member of the cluster, proved by its key, may call
/// methods for members; a credential may allow methods by itself; and the rules allow the rest. A call within the process,
/// which has no caller, is allowed. A call that a [gateway](crate::Gateway) on this machine passes on must be allowed to the
/// gateway and to the [caller that it names](Caller::forwarded), or by a credential.
///
/// A method that is not known at this end is decided about as an application method, so that a refusal does not tell which
/// methods there are, and a gateway, which knows only paths, is no way around the rules.
///
/// The rules, the credentials and the members may change while calls are made: a change holds from the next call on. Open
/// streams of callers elsewhere are decided about again twice a second, and end once they would be refused.
pub struct AccessControl {
    state: Arc<ArcSwap<State>>,
    open: Arc<OpenStreams>,
}

#[derive(Clone)]
struct State {
    rules: Arc<AccessRules>,
    compiled: Arc<Compiled>,
    credentials: Vec<Arc<dyn Credential>>,
    members: Option<Arc<dyn Members>>,
}

impl AccessControl {
    /// Decides by these rules, with no credentials and no members.
    pub fn new(rules: AccessRules) -> Self {
        let compiled = Arc::new(Compiled::new(&rules));
        let (credentials, members) = (Vec::new(), None);
        let state = State { rules: Arc::new(rules), compiled, credentials, members };
        Self { state: Arc::new(ArcSwap::from_pointee(state)), open: Arc::default() }
    }

    /// The rules that hold now.
    pub fn rules(&self) -> Arc<AccessRules> {
        self.state.load().rules.clone()
    }

    /// Replaces the rules.
    pub fn replace_rules(&self, rules: AccessRules) {
        let (rules, compiled) = (Arc::new(rules.clone()), Arc::new(Compiled::new(&rules)));
        self.change(|state| (state.rules, state.compiled) = (rules.clone(), compiled.clone()));
    }

    /// Adds a kind of credential. Those of a call are verified in the order in which their kinds were added, and each may
    /// use what the earlier ones have proved.
    pub fn add_credential(&self, credential: Arc<dyn Credential>) {
        self.change(|state| state.credentials.push(credential.clone()));
    }

    /// Sets who the members of the cluster are. Without, there are none.
    pub fn set_members(&self, members: Arc<dyn Members>) {
        self.change(|state| state.members = Some(members.clone()));
    }

    fn change(&self, change: impl Fn(&mut State)) {
        self.state.rcu(|state| {
            let mut state = State::clone(state);
            change(&mut state);
            state
        });
    }
}

impl Authorize for AccessControl {
    fn authorize(&self, cx: &mut Context) -> Result<(), Status> {
        self.state.load().decide(cx, |credential, cx| credential.verify(cx))
    }

    fn authorize_stream(&self, cx: &mut Context) -> Result<Option<Lease>, Status> {
        let (state, caller) = (self.state.load(), cx.caller.clone());
        state.decide(cx, |credential, cx| credential.verify(cx))?;
        Ok(caller
            .filter(|caller| !state.is_open_to(caller, cx))
            .and_then(|caller| self.open.lease(&self.state, cx.again(), caller)))
    }
}

impl AskAgain for ArcSwap<State> {
    fn ask_again(&self, cx: &mut Context) -> Result<(), Status> {
        self.load().decide(cx, |credential, cx| credential.verify_again(cx))
    }
}

/// As the members that were set last; without any, no key is a member's.
impl Members for AccessControl {
    fn is_member(&self, key: &[u8; 32]) -> bool {
        self.state.load().members.as_ref().is_some_and(|members| members.is_member(key))
    }
}

/// How the credentials of a call are verified: once, or again.
type Verify = fn(&dyn Credential, &Context) -> Option<Result<Grant, Status>>;

impl State {
    /// Whether this caller may make the call whatever it proves: as long as the rules stay as they are, nothing ends that.
    fn is_open_to(&self, caller: &Caller, cx: &Context) -> bool {
        let is_named = cx.caller.as_ref().is_some_and(|caller| !caller.is_local);
        let is_trusted = caller.is_local && self.rules.trust_local && !is_named;
        is_trusted || self.rules.insecure || class_of(cx) == AccessClass::Public
    }

    fn decide(&self, cx: &mut Context, verify: Verify) -> Result<(), Status> {
        if let Some(caller) = cx.caller.as_mut().filter(|caller| caller.has_expired()) {
            let mut expired = Caller::clone(caller);
            (expired.identity, expired.identity_expires) = (None, None);
            *caller = Arc::new(expired);
        }
        let Some(caller) = cx.caller() else { return Ok(()) };
        let class = class_of(cx);
        let is_open = class == AccessClass::Public || self.rules.insecure;
        // By the connection alone: what credentials allow, they may allow narrowly.
        let mut is_allowed = is_open || self.allow_caller(caller, cx.path(), class);
        let mut refused_gateway = None;
        if let Some(named) = on_behalf::named(cx) {
            let is_named_allowed = is_open || self.allow_caller(&named, cx.path(), class);
            // The handler, and what credentials ask about the caller, must not take the gateway for it.
            let gateway = cx.caller.replace(Arc::new(named));
            refused_gateway = gateway.filter(|_| !is_allowed);
            is_allowed &= is_named_allowed;
        }
        let is_granted = match self.verify(cx, verify) {
            // What every caller may call needs no credential, hence no valid one either.
            Err(refusal) if !is_open => return Err(refusal),
            granted => granted.unwrap_or(false),
        };
        if is_allowed || is_granted {
            return Ok(());
        }
        // The gateway itself may not make the call, so the refusal is about the gateway and what the metadata prove.
        if let Some(gateway) = refused_gateway {
            let proved = cx.caller.take().map(|named| named.credentials.clone()).unwrap_or_default();
            let gateway = proved.into_iter().fold(Caller::clone(&gateway), Caller::with_credential);
            cx.caller = Some(Arc::new(gateway));
        }
        Err(refusal::of(cx, class))
    }

    /// Whether the caller may call this by what its connection proves. What a gateway says of it counts for the rules alone: that
    /// a key is a member's must be proved.
    fn allow_caller(&self, caller: &Caller, path: &str, class: AccessClass) -> bool {
        (caller.is_local && self.rules.trust_local)
            || self.compiled.allow_anyone(path, class)
            || caller.identity.as_ref().is_some_and(|identity| self.allow_identity(identity, path, class))
            || caller.forwarded.iter().any(|identity| self.compiled.allow(identity, path, class))
    }

    fn allow_identity(&self, identity: &Identity, path: &str, class: AccessClass) -> bool {
        let is_member = |key| self.members.as_ref().is_some_and(|members| members.is_member(key));
        (class == AccessClass::Member && identity.key().is_some_and(is_member))
            || self.compiled.allow(identity, path, class)
    }

    /// Adds to the caller what the call's metadata prove, and tells whether that allows the call.
    fn verify(&self, cx: &mut Context, verify: Verify) -> Result<bool, Status> {
        let mut is_granted = false;
        for credential in &self.credentials {
            let Some(grant) = verify(&**credential, cx).transpose()? else { continue };
            let Grant { identity, methods, by_rules } = grant;
            is_granted |=
                methods.iter().flat_map(|methods| methods.iter()).any(|pattern| pattern.matches_call(cx))
                    || (by_rules && self.allow_identity(&identity, cx.path(), class_of(cx)));
            cx.caller = cx.caller.as_ref().map(|caller| caller.proving(&identity));
        }
        Ok(is_granted)
    }
}

impl fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessControl").field("rules", &self.rules()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
