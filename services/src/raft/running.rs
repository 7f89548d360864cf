use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::ServerState;
use polywire::Status;
use polywire_proto::cluster::v1;

use super::{
    Member, TypeConfig,
    checked::Checked,
    member_wire::member,
    metrics::{Metrics, full_voters, is_settled, joint_problem, name, voters},
    peer::Peer,
    peers::Peers,
    quorum::Quorum,
    statement::sign_member,
    store::{DiskFailure, KvReader, Store},
};
use crate::local_node::LocalNode;

/// How long Raft may take to say on which members the cluster has agreed: it does not answer while it writes to the disk.
const ASKING: Duration = Duration::from_millis(100);

/// A running Raft.
pub struct Running {
    /// This node's id.
    pub id: u64,
    /// This node.
    pub(super) local_node: LocalNode,
    /// Consensus.
    pub raft: openraft::Raft<TypeConfig>,
    /// Consensus, for what other members say.
    pub(super) checked: Checked,
    /// This node's storage.
    pub store: Store,
    /// The key-value store, for reading.
    pub reader: KvReader,
    /// The channels to the other members.
    pub peers: Peers,
    /// The size limit of a value, in bytes.
    pub max_value_bytes: usize,
    /// The highest index that a leader has reported as committed, whether or not this node has the entry.
    pub(super) leader_commit: AtomicU64,
    /// Whether the other members have been asked to verify this process.
    pub(super) introduced: AtomicBool,
    /// Held while the process of a member is examined.
    pub(super) examining: tokio::sync::Mutex<()>,
    /// Whether a majority confirms the leader.
    pub(super) quorum: Quorum,
    /// Whether the leader has answered that this node is not a member.
    pub(super) removed: AtomicBool,
    /// Why the disk refuses writes, once it does.
    pub(crate) disk: DiskFailure,
}

impl Running {
    /// This node as a member, with the addresses that it has now.
    pub fn member(&self) -> Member {
        self.local_node.announced()
    }

    /// Whether only this machine reaches this node.
    pub(super) fn is_closed(&self) -> bool {
        !self.local_node.node().parts.config.transport.is_reached_from_elsewhere()
    }

    /// This node as it announces itself to others, signed with its key.
    pub(super) fn announced(&self, voter: bool) -> v1::Member {
        let mut own = member(self.id, &self.member(), voter);
        if let Some(prover) = self.peers.prover() {
            sign_member(&mut own, prover.key());
        }
        own
    }

    /// Whether this node takes part in its cluster, as far as it is in one.
    ///
    /// # Errors
    /// `FailedPrecondition` where it has the identity of a member and is another process.
    pub(crate) fn admitted(&self) -> Result<(), Status> {
        match self.store.refused() {
            None => Ok(()),
            Some(problem) => Err(Status::failed_precondition(problem.to_string()).not_processed()),
        }
    }

    /// What to do about lost data.
    pub(super) fn lost(&self) -> String {
        let node = self.local_node.node();
        let (id, directory) = (self.id, node.parts.config.node.data_dir.join("raft"));
        format!(
            "this node is no new one, and its data in {} are gone: it forms no cluster by itself. Where it was a member, \
             remove it (polywire-node cluster remove {id}), and let it join again (polywire-node cluster join TARGET); where \
             it was alone, restore the directory from a backup, or begin without the data (polywire-node cluster init)",
            directory.display()
        )
    }

    /// Lets this node stand for election and answer candidates and leaders from now on: the other members have been
    /// asked, or none of them answers.
    pub(super) fn begin(&self) {
        self.introduced.store(true, Ordering::Relaxed);
        self.raft.runtime_config().elect(true);
    }

    /// Whether this process may act as the member.
    ///
    /// # Errors
    /// As [`admitted`](Self::admitted); `Unavailable` before the others have been asked: one that lacks what the member has
    /// acknowledged must not say so to a leader.
    pub(super) fn takes_part(&self) -> Result<(), Status> {
        self.admitted()?;
        match self.introduced.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Status::unavailable("this node has not announced itself to the other members yet")
                .not_processed()),
        }
    }

    /// Ends this node's part in its cluster.
    pub(super) async fn withdraw(&self, problem: &str) {
        let raft = self.raft.runtime_config();
        raft.elect(false);
        // It may lead, where the others could not be asked before.
        raft.heartbeat(false);
        if self.store.refused().is_some() {
            return;
        }
        tracing::error!(problem, "this node is kept out of its cluster");
        if let Err(error) = self.store.refuse(problem).await {
            tracing::error!(%error, "the exclusion of this node cannot be written for its next start");
        }
    }

    /// The id of the cluster that this node is in; empty where there is none.
    pub(crate) fn cluster_id(&self) -> String {
        self.store.cluster().map(|id| id.to_string()).unwrap_or_default()
    }

    /// Raft's metrics now. After Raft has stopped, this node has no role and follows no leader. A leader that no majority
    /// has confirmed recently does not count; if that leader is this node, it reports itself as a candidate.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.raft.metrics().borrow().clone();
        if self.quorum.leader(&metrics).is_none() {
            metrics.current_leader = None;
            if metrics.state == ServerState::Leader {
                metrics.state = ServerState::Candidate;
            }
        }
        if metrics.running_state.is_err() {
            metrics.state = ServerState::Shutdown;
            metrics.current_leader = None;
            metrics.replication = None;
        }
        metrics
    }

    /// Why no majority confirms a leader; `None` where one does.
    pub(super) fn leaderless(&self) -> Option<String> {
        let metrics = self.raft.metrics().borrow().clone();
        let problem = self.quorum.problem(&metrics, |id| name(&metrics, id))?;
        Some(match joint_problem(&metrics) {
            Some(why) => format!("{problem}; {why}"),
            None => problem,
        })
    }

    /// The members that vote. A member that comes is among them once the change is complete, and one that goes is not from
    /// the beginning of the change: in between, the members that stay are needed without it.
    pub(super) async fn voters(&self) -> BTreeSet<u64> {
        let metrics = self.raft.metrics().borrow().clone();
        if is_settled(&metrics) {
            return voters(&metrics);
        }
        let asking = self.raft.with_raft_state(|state| {
            let members = &state.membership_state;
            [members.committed(), members.effective()].map(|members| members.membership().clone())
        });
        match tokio::time::timeout(ASKING, asking).await {
            Ok(Ok(memberships)) => full_voters(&memberships),
            // Raft has stopped, or waits for the disk.
            Ok(Err(_)) | Err(_) => full_voters([metrics.membership_config.membership()]),
        }
    }

    /// How long ago a majority confirmed the leader; `None` without a leader, and before the first confirmation since
    /// this node started.
    pub(crate) fn quorum_age(&self) -> Option<Duration> {
        self.quorum.age(&self.raft.metrics().borrow())
    }

    /// Whether the leader has said that this node is no member of the cluster any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// The member with this id, as the cluster knows it.
    pub(super) fn known(&self, id: u64) -> Option<Member> {
        self.raft.metrics().borrow().membership_config.membership().get_node(&id).cloned()
    }

    /// The other members.
    pub(super) fn others(&self) -> Vec<Arc<Peer>> {
        let metrics = self.metrics();
        let nodes = metrics.membership_config.membership().nodes().filter(|(id, _)| **id != self.id);
        nodes.map(|(id, node)| self.peers.learn(*id, node)).collect()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("id", &self.id)
            .field("member", &self.member())
            .finish_non_exhaustive()
    }
}
