use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use openraft::{RaftMetrics, ServerState, error::Fatal};
use polywire::{Health, Status};
use tokio::{sync::watch, time::Instant};

use super::{
    Member, TypeConfig,
    conflicts::Conflicts,
    follower::Follower,
    peers::{Peer, Peers},
    quorum::Quorum,
    store::{DiskFailure, KvReader, Store},
};
use crate::{draining::draining, local_node::LocalNode, peer_report::PeerReport};

/// This node's part in the cluster, to the services that use it; there before it has started. Clones share it.
#[derive(Clone)]
pub struct Handle(Arc<RaftSlot>);

struct RaftSlot {
    running: ArcSwapOption<Running>,
    /// Why none runs, where it is known.
    stopped: ArcSwapOption<String>,
    /// Raised whenever another Raft takes the place of the one before.
    started: watch::Sender<u64>,
    health: Health,
    conflicts: Conflicts,
}

/// A Raft that runs.
pub struct Running {
    /// This node's id.
    pub id: u64,
    /// What this node says of itself.
    pub(super) local_node: LocalNode,
    /// Consensus.
    pub raft: openraft::Raft<TypeConfig>,
    /// What this node keeps.
    pub store: Store,
    /// The key-value store, for reading.
    pub reader: KvReader,
    /// The ways to the others.
    pub peers: Peers,
    /// How many bytes a value may have.
    pub max_value_bytes: usize,
    /// The highest index that a leader has said it has committed, whether or not this node has what is there.
    pub(super) leader_commit: AtomicU64,
    /// Whether the others have been asked if this is the member that they know.
    pub(super) introduced: AtomicBool,
    /// Held by what looks whether a node is the member that it says.
    pub(super) examining: tokio::sync::Mutex<()>,
    /// Whether a majority confirms the leader.
    pub(super) quorum: Quorum,
    /// Whether the leader has said that this node is no member.
    pub(super) removed: AtomicBool,
    /// Why the disk takes no more writes, once it does not.
    pub(crate) disk: DiskFailure,
}

/// What Raft says of itself.
pub type Metrics = RaftMetrics<u64, Member>;

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

    /// The others have been asked, or none of them answers: this node stands for election and answers candidates and
    /// leaders from now on.
    pub(super) fn begin(&self) {
        self.introduced.store(true, Ordering::Relaxed);
        self.raft.runtime_config().elect(true);
    }

    /// Whether this node may answer for the member that it is.
    ///
    /// # Errors
    /// As [`admitted`](Self::admitted); `Unavailable` before the others have been asked: one that lacks what the member has
    /// acknowledged must not say so to a leader.
    pub(super) fn takes_part(&self) -> Result<(), Status> {
        self.admitted()?;
        match self.introduced.load(Ordering::Relaxed) {
            true => Ok(()),
            false => {
                Err(Status::unavailable("this node has not told the others yet that it is there")
                    .not_processed())
            }
        }
    }

    /// This node does not take part any more.
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
            tracing::error!(%error, "that this node is kept out cannot be kept for its next start");
        }
    }

    /// The id of the cluster that this node is in; empty where there is none.
    pub(crate) fn cluster_id(&self) -> String {
        self.store.cluster().map(|id| id.to_string()).unwrap_or_default()
    }

    /// What Raft says of itself now. Where it has stopped, this node is nothing in the cluster and follows nobody,
    /// whatever it was before. A leader that no majority has confirmed lately is none; where that is this node, it
    /// stands for election, as far as others are concerned.
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

    /// Why there is no leader that a majority confirms; `None` where there is one.
    pub(super) fn leaderless(&self) -> Option<String> {
        let metrics = self.raft.metrics().borrow().clone();
        self.quorum.problem(&metrics, |id| name(&metrics, id))
    }

    /// How long ago a majority has confirmed the leader; `None` where there is no leader, or none that one has confirmed
    /// since this node was started.
    pub(crate) fn quorum_age(&self) -> Option<Duration> {
        self.quorum.age(&self.raft.metrics().borrow())
    }

    /// Whether the leader has said that this node is no member of the cluster any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }
}

/// What people call this member.
pub(super) fn name(metrics: &Metrics, id: u64) -> String {
    let known = metrics.membership_config.membership().get_node(&id);
    known.map(|member| member.name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
}

/// Why Raft can do nothing more here, for a call of which nothing was processed; `None` while it runs, and where it
/// was told to stop.
pub(crate) fn failure(metrics: &Metrics, disk: &DiskFailure) -> Option<Status> {
    match &metrics.running_state {
        Ok(()) | Err(Fatal::Stopped) => None,
        Err(error) => {
            let why = disk.explain(error);
            Some(Status::unavailable(format!("this node's Raft has failed: {why}")).not_processed())
        }
    }
}

/// Who leads.
pub(super) enum Leader {
    /// This node.
    This(Arc<Running>),
    /// Another.
    Other(Arc<Peer>),
}

impl Handle {
    /// One that has not started, of a node whose health this is.
    pub(super) fn new(health: Health) -> Self {
        Self(Arc::new(RaftSlot {
            running: ArcSwapOption::empty(),
            stopped: ArcSwapOption::empty(),
            started: watch::Sender::new(0),
            health,
            conflicts: Conflicts::default(),
        }))
    }

    /// What runs now.
    ///
    /// # Errors
    /// `Unavailable` before it has started, and while it starts anew.
    pub fn running(&self) -> Result<Arc<Running>, Status> {
        let none = || {
            let why = self.0.stopped.load();
            let why = why.as_ref().map_or("this node's Raft has not started", |why| why.as_str());
            Status::unavailable(why.to_owned()).not_processed()
        };
        self.0.running.load_full().ok_or_else(none)
    }

    /// What Raft says of itself now; `None` before it has started.
    pub fn metrics(&self) -> Option<Metrics> {
        Some(self.running().ok()?.metrics())
    }

    /// How the other members are doing, as this node's calls to them have shown.
    pub fn peers(&self) -> Vec<PeerReport> {
        self.running().map(|running| running.peers.reports()).unwrap_or_default()
    }

    /// Tells when another Raft runs than before.
    pub fn starts(&self) -> watch::Receiver<u64> {
        self.0.started.subscribe()
    }

    /// Returns once the node drains: streams that have no end of their own end then.
    pub async fn draining(&self) {
        draining(&self.0.health).await;
    }

    /// Members of which a second process was refused lately.
    pub(super) fn conflicts(&self) -> &Conflicts {
        &self.0.conflicts
    }

    /// What the health of this node says beside its checks.
    pub(super) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(super) fn set(&self, running: Option<Running>) {
        self.0.stopped.store(None);
        self.0.running.store(running.map(Arc::new));
        self.0.started.send_modify(|count| *count += 1);
    }

    /// Says why nothing runs here, to those who ask.
    pub(super) fn stopped(&self, why: String) {
        self.0.stopped.store(Some(Arc::new(why)));
    }

    /// Follows what Raft says of itself, through all that take each other's place here.
    pub(super) fn follow(&self) -> Follower {
        Follower::new(self)
    }

    /// Who leads; waits until somebody does.
    ///
    /// # Errors
    /// `Unavailable` when nobody leads by then, and where Raft has failed here; nothing was processed.
    pub(super) async fn leader(&self, by: Instant) -> Result<Leader, Status> {
        let mut starts = self.starts();
        let waiting = async {
            loop {
                starts.borrow_and_update();
                let Ok(running) = self.running() else {
                    starts.changed().await.map_err(|_| gone())?;
                    continue;
                };
                // It would speak for a member that it is not.
                running
                    .admitted()
                    .map_err(|status| Status::unavailable(status.message().to_owned()).not_processed())?;
                let mut metrics = running.raft.metrics();
                let now = metrics.borrow_and_update().clone();
                if let Some(failure) = failure(&now, &running.disk) {
                    return Err(failure);
                }
                if let Some(leader) = leader_of(&running, &now) {
                    return Ok(leader);
                }
                tokio::select! {
                    changed = metrics.changed() => if changed.is_err() {
                        // It has stopped; another may take its place.
                        starts.changed().await.map_err(|_| gone())?;
                    },
                    changed = starts.changed() => changed.map_err(|_| gone())?,
                }
            }
        };
        let nobody = || Status::unavailable("the cluster has no leader").not_processed();
        tokio::time::timeout_at(by, waiting).await.unwrap_or_else(|_| Err(nobody()))
    }

    /// The Raft that takes the place of this one, which has said this of itself last, and has stopped.
    ///
    /// # Errors
    /// `Unavailable` where it has stopped because it failed, or the node ends.
    pub(crate) async fn successor(
        &self,
        stopped: &Weak<Running>,
        said: &watch::Receiver<Metrics>,
        disk: &DiskFailure,
    ) -> Result<Arc<Running>, Status> {
        let mut starts = self.starts();
        loop {
            starts.borrow_and_update();
            if let Ok(running) = self.running()
                && Arc::as_ptr(&running) != stopped.as_ptr()
            {
                return Ok(running);
            }
            let failure = failure(&said.borrow(), disk);
            if let Some(failure) = failure {
                return Err(failure);
            }
            starts.changed().await.map_err(|_| gone())?;
        }
    }

    /// Waits a little for Raft to change its mind.
    pub(super) async fn changed(&self) {
        if let Ok(running) = self.running() {
            let mut metrics = running.raft.metrics();
            metrics.mark_unchanged();
            // Other reasons to try again there are none that could be waited for.
            let _ = tokio::time::timeout(Duration::from_millis(50), metrics.changed()).await;
        }
    }
}

/// Whether this node takes itself for the leader, and so calls all others all the time.
pub(crate) fn leads(metrics: &Metrics) -> bool {
    metrics.replication.is_some()
}

fn leader_of(running: &Arc<Running>, metrics: &Metrics) -> Option<Leader> {
    let id = metrics.current_leader?;
    if id == running.id {
        return Some(Leader::This(running.clone()));
    }
    let member = metrics.membership_config.membership().get_node(&id)?;
    Some(Leader::Other(running.peers.learn(id, member)))
}

fn gone() -> Status {
    Status::unavailable("this node's Raft is stopping")
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("running", &self.0.running.load()).finish_non_exhaustive()
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
