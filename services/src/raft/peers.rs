use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use polywire::{ConnectOptions, config::RaftTransport, policy::PolicyHandle};

use super::{Member, dialling::Dialling, peer::Peer, proof::Prover};
use crate::peer_report::PeerReport;

/// The channels to the other members. Clones share them.
#[derive(Clone, Debug)]
pub struct Peers(Arc<PeerTable>);

#[derive(Debug)]
struct PeerTable {
    dialling: Arc<Dialling>,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
    moved: Mutex<BTreeMap<u64, Moved>>,
}

/// A member whose announced addresses the cluster does not know yet.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) member: Member,
    /// The member as the cluster knew it then.
    pub(super) replaces: Member,
    /// The member's signature of what it has announced.
    pub(super) signature: Bytes,
}

/// How long a dial may take: the network of a cluster is near, and an election waits.
const CONNECT: Duration = Duration::from_secs(2);

impl Peers {
    /// No channels yet. New ones follow this rule, or the policies of the node where they are given; their calls carry the
    /// prover's proofs.
    pub(super) fn new(
        options: &ConnectOptions,
        rule: RaftTransport,
        given: Option<PolicyHandle>,
        prover: Option<Prover>,
    ) -> Self {
        let options = options.clone().connect_timeout(CONNECT);
        let dialling = Dialling::new(options, rule.policy(), given).proving(prover);
        Self(Arc::new(PeerTable {
            dialling: Arc::new(dialling),
            peers: Mutex::default(),
            moved: Mutex::default(),
        }))
    }

    /// The channel to this member, at the address that the cluster knows, or at a newer one that the member has announced.
    pub(super) fn learn(&self, id: u64, member: &Member) -> Arc<Peer> {
        let member = &self.latest(id, member);
        let mut peers = self.lock();
        let dialling = &self.0.dialling;
        let peer = peers.entry(id).or_insert_with(|| Arc::new(Peer::new(id, member, dialling.clone())));
        peer.learn(member);
        peer.clone()
    }

    /// The latest known state of a member that the cluster knows like this.
    pub(super) fn latest(&self, id: u64, member: &Member) -> Member {
        let mut moved = self.moved_members();
        match moved.get(&id) {
            Some(told) if told.replaces == *member => told.member.clone(),
            Some(_) => {
                moved.remove(&id);
                member.clone()
            }
            None => member.clone(),
        }
    }

    /// Notes the announced addresses of a member that the cluster knows like this.
    pub(super) fn follow(&self, id: u64, replaces: &Member, member: Member, signature: Bytes) {
        self.moved_members().insert(id, Moved { member, replaces: replaces.clone(), signature });
        self.learn(id, replaces);
    }

    /// The members whose new addresses the cluster does not know yet.
    pub(super) fn moved(&self) -> Vec<(u64, Moved)> {
        self.moved_members().iter().map(|(id, moved)| (*id, moved.clone())).collect()
    }

    fn moved_members(&self) -> MutexGuard<'_, BTreeMap<u64, Moved>> {
        self.0.moved.lock()
    }

    /// Replaces all connections.
    pub(super) fn renew(&self) {
        for peer in self.lock().values() {
            peer.renew();
        }
    }

    /// Forgets all but these.
    pub(super) fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.lock().retain(|id, _| keep(*id));
        self.moved_members().retain(|id, _| keep(*id));
    }

    /// How each of them answers, in the order of their ids.
    pub fn reports(&self) -> Vec<PeerReport> {
        self.lock().values().map(|peer| peer.report()).collect()
    }

    /// What makes the proofs of this node's calls.
    pub(super) fn prover(&self) -> Option<&Prover> {
        self.0.dialling.prover.as_ref()
    }

    /// The options with which members are dialled.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.0.dialling.options
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Peer>>> {
        self.0.peers.lock()
    }
}
