use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use polywire::{Health, Status};
use tokio::{sync::watch, time::Instant};

use super::{
    conflicts::Conflicts,
    key::{Key, is_shown},
    metrics::{Metrics, NO_MEMBERSHIP, failure, membership_id, voters},
    peer::Peer,
    running::Running,
    store::DiskFailure,
    trust::Trust,
};
use crate::{draining::draining, peer_report::PeerReport};

/// This node's Raft, for the services that use it; exists before Raft has started. Clones share it.
#[derive(Clone)]
pub struct Handle(Arc<RaftSlot>);

struct RaftSlot {
    running: ArcSwapOption<Running>,
    /// Why no Raft runs, if known.
    stopped: ArcSwapOption<String>,
    /// Raised whenever another Raft takes the place of the one before.
    started: watch::Sender<u64>,
    health: Health,
    conflicts: Conflicts,
    trust: Trust,
}

/// The leader.
pub(super) enum Leader {
    /// This node.
    This(Arc<Running>),
    /// Another.
    Other(Arc<Peer>),
}

impl Handle {
    /// A handle of a Raft that has not started, in the node with this health.
    pub(super) fn new(health: Health) -> Self {
        Self(Arc::new(RaftSlot {
            running: ArcSwapOption::empty(),
            stopped: ArcSwapOption::empty(),
            started: watch::Sender::new(0),
            health,
            conflicts: Conflicts::default(),
            trust: Trust::new(),
        }))
    }

    /// The keys that this node trusts, and its own.
    pub(super) fn trust(&self) -> &Trust {
        &self.0.trust
    }

    /// Whether this is the key of a member: in this node's log, or of the cluster that it is joining, or named by another
    /// member. The members are asked about a key that is none of these, as the log may be behind.
    pub(super) fn is_member(&self, key: &Key) -> bool {
        let (is_in_log, id) = self.0.running.load().as_ref().map_or((false, NO_MEMBERSHIP), |running| {
            let metrics = running.raft.metrics();
            let metrics = metrics.borrow();
            let node = metrics.membership_config.membership().get_node(&id_of(key));
            (node.is_some_and(|member| is_shown(key, &member.endpoint_id)), membership_id(&metrics))
        });
        let is_member = is_in_log || self.0.trust.takes_for_member(key, id);
        if !is_member {
            self.0.trust.unknown.notify_one();
        }
        is_member
    }

    /// Whether this is the key of a voter that this node's log does not name yet: another member has named it, or this node is
    /// joining the cluster.
    pub(super) fn is_new_voter(&self, key: &Key) -> bool {
        let running = self.0.running.load();
        let id = running.as_ref().map(|running| membership_id(&running.raft.metrics().borrow()));
        self.0.trust.takes_for_voter(key, id.unwrap_or(NO_MEMBERSHIP))
    }

    /// The Raft that runs now.
    ///
    /// # Errors
    /// `Unavailable` before Raft has started and while it restarts.
    pub fn running(&self) -> Result<Arc<Running>, Status> {
        let none = || {
            let why = self.0.stopped.load();
            let why = why.as_ref().map_or("this node's Raft has not started", |why| why.as_str());
            Status::unavailable(why.to_owned()).not_processed()
        };
        self.0.running.load_full().ok_or_else(none)
    }

    /// The Raft that runs now, or the one that takes its place while the node changes its cluster.
    ///
    /// # Errors
    /// `Unavailable` where none runs by then, or Raft has failed.
    pub(super) async fn running_by(&self, by: Instant) -> Result<Arc<Running>, Status> {
        let mut starts = self.starts();
        loop {
            starts.borrow_and_update();
            let outcome = self.running();
            if outcome.is_ok() || self.0.stopped.load().is_some() {
                return outcome;
            }
            if !matches!(tokio::time::timeout_at(by, starts.changed()).await, Ok(Ok(()))) {
                return outcome;
            }
        }
    }

    /// Raft's metrics now; `None` before it has started.
    pub fn metrics(&self) -> Option<Metrics> {
        Some(self.running().ok()?.metrics())
    }

    /// How the other members answer this node's calls.
    pub fn peers(&self) -> Vec<PeerReport> {
        self.running().map(|running| running.peers.reports()).unwrap_or_default()
    }

    /// Changes whenever another Raft takes the place of the one before.
    pub fn starts(&self) -> watch::Receiver<u64> {
        self.0.started.subscribe()
    }

    /// Returns once the node drains: streams without an end of their own end then.
    ///
    /// # Cancel safety
    /// Safe: it only waits.
    pub async fn draining(&self) {
        draining(&self.0.health).await;
    }

    /// Members of which a second process was refused lately.
    pub(super) fn conflicts(&self) -> &Conflicts {
        &self.0.conflicts
    }

    /// This node's health, for notes beside its checks.
    pub(super) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(super) fn set(&self, running: Option<Running>) {
        self.0.stopped.store(None);
        self.0.running.store(running.map(Arc::new));
        self.0.started.send_modify(|count| *count += 1);
    }

    /// Sets why no Raft runs here, for callers.
    pub(super) fn stopped(&self, why: String) {
        self.0.stopped.store(Some(Arc::new(why)));
    }

    /// The leader; waits until there is one.
    ///
    /// # Errors
    /// `Unavailable` when there is no leader by then, and where Raft has failed here; nothing was processed.
    pub(super) async fn leader(&self, by: Instant) -> Result<Leader, Status> {
        let mut starts = self.starts();
        let waiting = async {
            loop {
                starts.borrow_and_update();
                let Ok(running) = self.running() else {
                    starts.changed().await.map_err(|_| gone())?;
                    continue;
                };
                // A refused process must not act as the member.
                running
                    .admitted()
                    .map_err(|status| Status::unavailable(status.message().to_owned()).not_processed())?;
                let mut metrics = running.raft.metrics();
                let now = metrics.borrow_and_update().clone();
                if running.store.is_lost() && voters(&now).is_empty() {
                    return Err(Status::failed_precondition(running.lost()).not_processed());
                }
                if let Some(failure) = failure(&now, &running.disk) {
                    return Err(failure);
                }
                if let Some(leader) = leader_of(&running, &now) {
                    return Ok(leader);
                }
                tokio::select! {
                    changed = metrics.changed() => if changed.is_err() {
                        // Raft has stopped; another may replace it.
                        starts.changed().await.map_err(|_| gone())?;
                    },
                    changed = starts.changed() => changed.map_err(|_| gone())?,
                }
            }
        };
        let leaderless = || Status::unavailable("the cluster has no leader").not_processed();
        tokio::time::timeout_at(by, waiting).await.unwrap_or_else(|_| Err(leaderless()))
    }

    /// The Raft that replaces this stopped one, whose last metrics are given.
    ///
    /// # Errors
    /// `Unavailable` where Raft has failed, or the node ends.
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

    /// Waits briefly for Raft's metrics to change.
    pub(super) async fn changed(&self) {
        if let Ok(running) = self.running() {
            let mut metrics = running.raft.metrics();
            metrics.mark_unchanged();
            // Nothing else can be waited for.
            let _ = tokio::time::timeout(Duration::from_millis(50), metrics.changed()).await;
        }
    }
}

fn leader_of(running: &Arc<Running>, metrics: &Metrics) -> Option<Leader> {
    let id = metrics.current_leader?;
    if id == running.id {
        return Some(Leader::This(running.clone()));
    }
    let member = metrics.membership_config.membership().get_node(&id)?;
    Some(Leader::Other(running.peers.learn(id, member)))
}

/// The id of the member with this key: its first eight bytes.
fn id_of(key: &Key) -> u64 {
    key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn gone() -> Status {
    Status::unavailable("this node's Raft is stopping")
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("running", &self.0.running.load()).finish_non_exhaustive()
    }
}
