use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
    time::Duration,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use polywire::tokens::Tokens;
use tokio::{sync::Notify, time::Instant};

use super::{
    key::{Key, NodeKey},
    metrics::MembershipId,
    proof::{Prover, Replays, now_ms},
};

/// What this node proves of itself to other members, and whose keys it takes for those of members beside the membership
/// in its log.
#[derive(Debug)]
pub(super) struct Trust {
    prover: OnceLock<Prover>,
    /// When this process began, in milliseconds since 1970. It does not know which older proofs were taken before.
    pub(super) began_ms: u64,
    /// The proofs that were taken: those of members and configured peers, and all others, which must not take their place.
    pub(super) of_known: Replays,
    pub(super) of_others: Replays,
    /// The members of the cluster that this node is joining: it has no log yet.
    joining: ArcSwap<BTreeSet<Key>>,
    /// The newest membership that another member has named: the log of this node may be behind.
    named: Mutex<Option<Named>>,
    /// The nodes of `cluster.peers` whose targets name their keys.
    peers: OnceLock<BTreeSet<Key>>,
    /// The node's tokens, among them invitations to the cluster.
    tokens: OnceLock<Tokens>,
    /// Told when a call of an unknown key arrives.
    pub(super) unknown: Notify,
}

/// The members of the cluster, as another member has named them.
#[derive(Debug)]
struct Named {
    id: MembershipId,
    /// Whether each of them votes.
    members: BTreeMap<Key, bool>,
    until: Instant,
}

/// How long members count that another member has named: as long as this node's log may take to catch up.
const NAMED: Duration = Duration::from_secs(60);

impl Trust {
    pub(super) fn new() -> Self {
        Self {
            prover: OnceLock::new(),
            began_ms: now_ms(),
            of_known: Replays::default(),
            of_others: Replays::default(),
            joining: ArcSwap::default(),
            named: Mutex::new(None),
            peers: OnceLock::new(),
            tokens: OnceLock::new(),
            unknown: Notify::new(),
        }
    }

    /// Sets the node's key, which is known once the node is bound, and the keys of its configured peers.
    pub(super) fn begin(&self, secret: &[u8; 32], peers: BTreeSet<Key>) {
        self.prover.get_or_init(|| Prover::new(NodeKey::new(secret)));
        self.peers.get_or_init(|| peers);
    }

    /// Sets the node's tokens.
    pub(super) fn set_tokens(&self, tokens: Tokens) {
        self.tokens.get_or_init(|| tokens);
    }

    /// The node's tokens; `None` before the node is bound.
    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.get()
    }

    /// What makes this node's proofs; `None` before the node is bound.
    pub(super) fn prover(&self) -> Option<&Prover> {
        self.prover.get()
    }

    /// The members of the cluster that this node is joining; none once it is in it.
    pub(super) fn join(&self, members: impl IntoIterator<Item = Key>) {
        self.joining.store(members.into_iter().collect::<BTreeSet<_>>().into());
    }

    /// A member has named these members, and whether they vote, by the entry at this place. An older membership is none.
    pub(super) fn name(&self, id: MembershipId, members: impl IntoIterator<Item = (Key, bool)>) {
        let mut named = self.named.lock();
        if named.as_ref().is_none_or(|named| named.id <= id) {
            let (members, until) = (members.into_iter().collect(), Instant::now() + NAMED);
            *named = Some(Named { id, members, until });
        }
    }

    /// Whether this is a member's key, as far as this node knows beside its log, whose membership is at this place.
    pub(super) fn takes_for_member(&self, key: &Key, own: MembershipId) -> bool {
        self.joining.load().contains(key) || self.named(key, own).is_some()
    }

    /// Whether another member has named this key as a voter's, or this node is joining their cluster: its log begins with the
    /// members of the first day.
    pub(super) fn takes_for_voter(&self, key: &Key, own: MembershipId) -> bool {
        self.joining.load().contains(key) || self.named(key, own) == Some(true)
    }

    /// Whether the member with this key votes, by a membership that is newer than the one in this node's log; `None` if that
    /// does not name it.
    fn named(&self, key: &Key, own: MembershipId) -> Option<bool> {
        let named = self.named.lock();
        let named = named.as_ref().filter(|named| named.id > own && named.until > Instant::now())?;
        named.members.get(key).copied()
    }

    /// Whether this is the key of a node in `cluster.peers`.
    pub(super) fn is_peer(&self, key: &Key) -> bool {
        self.peers.get().is_some_and(|peers| peers.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];

    #[tokio::test(start_paused = true)]
    async fn what_another_member_names_counts_while_this_nodes_log_is_behind_it() {
        let trust = Trust::new();
        assert!(!trust.takes_for_member(&KEY, (0, 0)));
        trust.name((2, 9), [(KEY, true)]);
        assert!(trust.takes_for_member(&KEY, (2, 8)) && trust.takes_for_voter(&KEY, (1, 20)));
        assert!(!trust.takes_for_member(&KEY, (2, 9)), "this node's log says itself who is a member");
        assert!(!trust.takes_for_voter(&KEY, (3, 1)));
        tokio::time::advance(NAMED).await;
        assert!(!trust.takes_for_member(&KEY, (2, 8)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_is_behind_names_no_member_that_was_removed() {
        let trust = Trust::new();
        trust.name((2, 9), [([8; 32], true)]);
        trust.name((2, 5), [(KEY, true)]);
        assert!(!trust.takes_for_member(&KEY, (0, 0)));
        trust.name((2, 12), []);
        assert!(!trust.takes_for_member(&[8; 32], (0, 0)), "it was removed since");
    }
}
