use std::{
    collections::{BTreeSet, HashMap},
    sync::OnceLock,
    time::Duration,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use polywire::tokens::Tokens;
use tokio::{sync::Notify, time::Instant};

use super::{
    key::{Key, NodeKey},
    proof::{Prover, Replays, now_ms},
};

/// What this node proves of itself to other members, and whose keys it takes for those of members beside the membership
/// in its log.
#[derive(Debug)]
pub(super) struct Trust {
    prover: OnceLock<Prover>,
    /// When this process began, in milliseconds since 1970. It does not know which older proofs were taken before.
    pub(super) began_ms: u64,
    /// The proofs that were taken: those of members, and all others, which must not take the place of members.
    pub(super) of_members: Replays,
    pub(super) of_others: Replays,
    /// The members of the cluster that this node is joining: it has no log yet.
    joining: ArcSwap<BTreeSet<Key>>,
    /// Members that other members have named: the log of this node may be behind.
    named: Mutex<HashMap<Key, Named>>,
    /// The nodes of `cluster.peers` whose targets name their keys.
    peers: OnceLock<BTreeSet<Key>>,
    /// The node's tokens, among them invitations to the cluster.
    tokens: OnceLock<Tokens>,
    /// Told when a call of an unknown key arrives.
    pub(super) unknown: Notify,
}

/// A member, as another one has named it.
#[derive(Clone, Copy, Debug)]
struct Named {
    until: Instant,
    votes: bool,
}

/// How long a key counts as a member's after another member has said so.
const NAMED: Duration = Duration::from_secs(60);

impl Trust {
    pub(super) fn new() -> Self {
        Self {
            prover: OnceLock::new(),
            began_ms: now_ms(),
            of_members: Replays::default(),
            of_others: Replays::default(),
            joining: ArcSwap::default(),
            named: Mutex::default(),
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

    /// A member has named these members, and whether they vote.
    pub(super) fn name(&self, members: impl IntoIterator<Item = (Key, bool)>) {
        let until = Instant::now() + NAMED;
        let mut named = self.named.lock();
        named.retain(|_, named| named.until > Instant::now());
        for (key, votes) in members {
            let before = named.get(&key).is_some_and(|named| named.votes);
            named.insert(key, Named { until, votes: votes || before });
        }
    }

    /// Whether this is a member's key, as far as this node knows beside its log.
    pub(super) fn takes_for_member(&self, key: &Key) -> bool {
        self.joining.load().contains(key) || self.named(key).is_some()
    }

    /// Whether other members have named this key as a voter's, or this node is joining their cluster: its log begins with the
    /// members of the first day.
    pub(super) fn takes_for_voter(&self, key: &Key) -> bool {
        self.joining.load().contains(key) || self.named(key).is_some_and(|named| named.votes)
    }

    fn named(&self, key: &Key) -> Option<Named> {
        self.named.lock().get(key).copied().filter(|named| named.until > Instant::now())
    }

    /// Whether this is the key of a node in `cluster.peers`.
    pub(super) fn is_peer(&self, key: &Key) -> bool {
        self.peers.get().is_some_and(|peers| peers.contains(key))
    }
}
