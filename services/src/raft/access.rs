//! What the node's access control learns from its cluster: who the members are, what a proof proves, and what members do
//! for each other.

use std::sync::Arc;

use polywire::{
    Context, Identity, Status,
    access::{AccessControl, Credential, Grant, Members, MethodPattern},
};

use super::{
    admission::LEAVING,
    forward::{FORWARDED, is_marked},
    handle::Handle,
    invitation::is_invited,
    key::Key,
    proof::{sender, verify},
};

/// Lets the access control know this cluster.
pub(super) fn add_to(access: &AccessControl, handle: &Handle) {
    access.set_members(Arc::new(MembersOf(handle.clone())));
    access.add_credential(Arc::new(ProofCredential(handle.clone())));
    access.add_credential(Arc::new(MemberCalls::new(handle)));
}

/// The members of the node's cluster.
#[derive(Debug)]
pub(super) struct MembersOf(pub(super) Handle);

impl Members for MembersOf {
    fn is_member(&self, key: &Key) -> bool {
        self.0.is_member(key)
    }
}

/// A [proof](super::proof) in the metadata proves the key of its sender. The rules decide what that key may call.
#[derive(Debug)]
struct ProofCredential(Handle);

impl Credential for ProofCredential {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let key = verify(&self.0, cx)?;
        Some(key.map(|key| Grant::by_rules(Identity::Key(key))))
    }

    /// A proof is taken once: that of an open stream was.
    fn verify_again(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        Some(sender(cx)?.map(|key| Grant::by_rules(Identity::Key(key))))
    }
}

/// What the nodes of a cluster call at each other beside the methods for members: calls of their own callers, which they
/// have decided about, calls about themselves, and those of nodes that are to become members.
#[derive(Debug)]
struct MemberCalls {
    handle: Handle,
    own: Arc<[MethodPattern]>,
    forwarded: Arc<[MethodPattern]>,
    leaving: Arc<[MethodPattern]>,
    joining: Arc<[MethodPattern]>,
    asking: Arc<[MethodPattern]>,
}

/// What a member calls at another one for itself.
const OWN: &[&str] = &[
    "polywire.cluster.v1.Cluster/Status",
    "polywire.cluster.v1.Cluster/UpdateMember",
    "polywire.directory.v1.Directory/List",
];

/// What a member forwards to the leader.
const TO_LEADER: &[&str] = &[
    "polywire.cluster.v1.Cluster/AddMember",
    "polywire.cluster.v1.Cluster/UpdateMember",
    "polywire.cluster.v1.Cluster/RemoveMember",
    "polywire.kv.v1.Kv/Get",
    "polywire.kv.v1.Kv/Put",
    "polywire.kv.v1.Kv/Delete",
    "polywire.kv.v1.Kv/List",
    "polywire.status.v1.Status/GetClusterStatus",
];

/// What a member calls that leaves. [`leaves_itself`](super::admission::leaves_itself) checks that it means itself.
const TO_LEAVE: &[&str] = &["polywire.cluster.v1.Cluster/RemoveMember"];

/// What a node calls that may join: `cluster.peers` names its key.
const TO_JOIN: &[&str] = &["polywire.cluster.v1.Cluster/Status", "polywire.cluster.v1.Cluster/AddMember"];

impl MemberCalls {
    fn new(handle: &Handle) -> Self {
        let patterns = |names: &[&str]| names.iter().filter_map(|name| name.parse().ok()).collect();
        Self {
            handle: handle.clone(),
            own: patterns(OWN),
            forwarded: patterns(TO_LEADER),
            leaving: patterns(TO_LEAVE),
            joining: patterns(TO_JOIN),
            asking: patterns(&TO_JOIN[..1]),
        }
    }

    /// The methods that are for calls such as this one, if it is by a member or by a node that may join.
    fn methods(&self, cx: &Context) -> [Option<&Arc<[MethodPattern]>>; 2] {
        let is_forwarded = is_marked(cx, FORWARDED);
        let of_member = match (is_forwarded, is_marked(cx, LEAVING)) {
            (true, _) => &self.forwarded,
            (false, true) => &self.leaving,
            (false, false) => &self.own,
        };
        [Some(of_member), (!is_forwarded).then_some(&self.joining)]
    }
}

impl MemberCalls {
    /// What a node may ask that has an invitation: who the members are. The invitation itself lets it be added, once.
    fn invited(&self, cx: &Context) -> Option<Grant> {
        if !self.handle.trust().tokens().is_some_and(|tokens| is_invited(tokens, cx)) {
            return None;
        }
        let identity = cx.caller()?.identities().next()?.clone();
        Some(Grant::of(identity, self.asking.clone()))
    }
}

impl Credential for MemberCalls {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let [of_member, of_joining] = self
            .methods(cx)
            .map(|methods| methods.filter(|methods| methods.iter().any(|method| method.matches_call(cx))));
        if of_member.is_none() && of_joining.is_none() {
            return None;
        }
        if let Some(invited) = of_joining.and_then(|_| self.invited(cx)) {
            return Some(Ok(invited));
        }
        let mut keys = cx.caller()?.identities().filter_map(Identity::key);
        keys.find_map(|key| {
            let methods = of_member.filter(|_| self.handle.is_member(key));
            let methods = methods.or_else(|| of_joining.filter(|_| self.handle.trust().is_peer(key)))?;
            Some(Ok(Grant::of(Identity::Key(*key), methods.clone())))
        })
    }
}
