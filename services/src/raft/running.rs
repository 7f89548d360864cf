use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::ServerState;
use polywire::Status;

use super::{
    Member, TypeConfig,
    metrics::{Metrics, name},
    peer::Peer,
    peers::Peers,
    quorum::Quorum,
    store::{DiskFailure, KvReader, Store},
};
use crate::local_node::LocalNode;

/// A running Raft.
pub struct Running {
    /// This node's id.
    pub id: u64,
    /// This node.
    pub(super) local_node: LocalNode,
    /// Consensus.
    pub raft: openraft::Raft<TypeConfig>,
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
        self.local_node.member()
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
        self.quorum.problem(&metrics, |id| name(&metrics, id))
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
