//! The answers of the service `status` about this node's cluster.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::stream;
use openraft::{LogId, ServerState};
use polywire::{Context, Status as CallStatus, Streaming};
use polywire_proto::status::v1;
use tokio::{sync::watch, time::Instant};

use super::{
    forward::FORWARDED,
    handle::Handle,
    metrics::{LAG, Metrics, leads},
    running::Running,
    store::DiskFailure,
};
use crate::{
    peer_report::PeerReport,
    status::{StatusClient, describe},
};

/// How long the leader may take to say how it sees the cluster.
const LEADER: Duration = Duration::from_secs(1);

/// How the cluster is, as its leader sees it; as this node does, while no leader can be reached.
pub(super) async fn cluster_status(
    handle: &Handle,
    cx: &Context,
    request: v1::GetClusterStatusRequest,
) -> Result<v1::ClusterStatus, CallStatus> {
    let here = |running: Arc<Running>| async move { Ok(cluster(&running).await) };
    let there = |channel, left| {
        let asking = StatusClient::new(channel).get_cluster_status(request).context(cx).timeout(left);
        async move { asking.metadata(FORWARDED, "1").await }
    };
    let by = Instant::now() + LEADER;
    match handle.ask_leader(cx, by, here, there).await {
        Ok(seen) => Ok(seen),
        Err(_) => Ok(cluster(&*handle.running()?).await),
    }
}

/// How consensus is at this node.
pub(super) async fn raft_status(handle: &Handle) -> Result<v1::RaftStatus, CallStatus> {
    let running = handle.running()?;
    let metrics = running.metrics();
    let committed = running.raft.with_raft_state(|state| state.committed).await;
    let voters = running.voters().await;
    let members = metrics.membership_config.membership().nodes().map(|(id, _)| *id);
    Ok(v1::RaftStatus {
        node_id: metrics.id,
        state: role(metrics.state).into(),
        leader_id: metrics.current_leader,
        term: metrics.current_term,
        last_log_index: metrics.last_log_index.unwrap_or_default(),
        committed: committed.ok().flatten().map(log_id),
        applied: metrics.last_applied.map(log_id),
        snapshot: metrics.snapshot.map(log_id),
        purged: metrics.purged.map(log_id),
        learners: members.filter(|id| !voters.contains(id)).collect(),
        voters: voters.into_iter().collect(),
        failure: metrics.running_state.err().map(|error| running.disk.explain(&error)).unwrap_or_default(),
        quorum_age_ms: running.quorum_age().map(milliseconds),
    })
}

/// How the cluster is, as this node sees it, now and after each change.
pub(super) fn watch(handle: &Handle) -> Result<Streaming<v1::ClusterStatus>, CallStatus> {
    let running = handle.running()?;
    let metrics = running.raft.metrics();
    let (disk, running) = (running.disk.clone(), Arc::downgrade(&running));
    let watch = ClusterWatch { handle: handle.clone(), running, metrics, disk, told: None };
    Ok(Streaming::new(stream::try_unfold(watch, |mut watch| async move {
        Ok(watch.next().await?.map(|status| (status, watch)))
    })))
}

/// One watcher, and what it has been told last.
struct ClusterWatch {
    handle: Handle,
    /// Not what runs itself: a watcher that does not read must not keep the files of one that has ended.
    running: Weak<Running>,
    metrics: watch::Receiver<Metrics>,
    disk: DiskFailure,
    told: Option<v1::ClusterStatus>,
}

impl ClusterWatch {
    /// The next status in which more has changed than the progress of replication; `None` once the node drains.
    ///
    /// # Errors
    /// `Unavailable` where Raft fails here: there is nothing more to be seen from this node.
    async fn next(&mut self) -> Result<Option<v1::ClusterStatus>, CallStatus> {
        let handle = self.handle.clone();
        loop {
            self.metrics.mark_unchanged();
            let status = match self.running.upgrade() {
                Some(running) => Some(cluster(&running).await),
                None => None,
            };
            if let Some(status) = status
                && self.told.as_ref().map(standing) != Some(standing(&status))
            {
                self.told = Some(status.clone());
                return Ok(Some(status));
            }
            tokio::select! {
                changed = self.changed() => changed?,
                () = handle.draining() => return Ok(None),
            }
        }
    }

    async fn changed(&mut self) -> Result<(), CallStatus> {
        if self.metrics.changed().await.is_err() {
            // The node is in another cluster, or about to be.
            let successor = self.handle.successor(&self.running, &self.metrics, &self.disk).await?;
            (self.running, self.metrics) = (Arc::downgrade(&successor), successor.raft.metrics());
            self.disk = successor.disk.clone();
        }
        Ok(())
    }
}

/// The status without what changes with every entry.
fn standing(status: &v1::ClusterStatus) -> v1::ClusterStatus {
    let mut standing = status.clone();
    for node in &mut standing.nodes {
        (node.last_contact_ms, node.replication_lag) = (None, None);
        node.reason.clear();
    }
    standing
}

/// The cluster, as this node sees it.
async fn cluster(running: &Running) -> v1::ClusterStatus {
    let voters = running.voters().await;
    let metrics = running.metrics();
    let membership = metrics.membership_config.membership();
    let contacts = running.peers.reports();
    let last = metrics.last_log_index.unwrap_or_default();
    // The others know it as it was when it last said so.
    let own = running.member();
    let mut nodes: Vec<_> = membership
        .nodes()
        .map(|(id, member)| {
            let matched = metrics.replication.as_ref().and_then(|progress| progress.get(id)).copied();
            let lag = matched.map(|matched| last.saturating_sub(matched.map_or(0, |id| id.index)));
            let report = contacts.iter().find(|report| report.id == *id);
            let (health, reason) = condition(&metrics, *id, lag, report);
            let role = match () {
                () if *id == metrics.id && metrics.state != ServerState::Follower => role(metrics.state),
                () if Some(*id) == metrics.current_leader => v1::Role::Leader,
                () if !voters.contains(id) => v1::Role::Learner,
                // It may do anything, or nothing.
                () if *id == metrics.id => v1::Role::Follower,
                () if metrics.current_leader.is_none() => v1::Role::Unspecified,
                () if health == v1::MemberHealth::Unreachable => v1::Role::Unspecified,
                () => v1::Role::Follower,
            };
            v1::Node {
                id: *id,
                role: role.into(),
                last_contact_ms: report.and_then(|report| report.last_contact).map(milliseconds),
                replication_lag: lag,
                health: health.into(),
                reason,
                ..describe(if *id == running.id { &own } else { member })
            }
        })
        .collect();
    nodes.sort_by_key(|node| node.id);
    v1::ClusterStatus {
        leader_id: metrics.current_leader,
        term: metrics.current_term,
        nodes,
        seen_by: metrics.id,
    }
}

/// How a member is, and why it is not reached. The leader calls all others all the time; the others call none.
fn condition(
    metrics: &Metrics,
    id: u64,
    lag: Option<u64>,
    report: Option<&PeerReport>,
) -> (v1::MemberHealth, String) {
    let health = match report {
        _ if id == metrics.id && metrics.current_leader.is_none() => v1::MemberHealth::NoMajority,
        _ if id == metrics.id => v1::MemberHealth::Ok,
        _ if !leads(metrics) => v1::MemberHealth::Unspecified,
        Some(report) if report.is_reachable() && lag.is_some_and(|lag| lag > LAG) => {
            v1::MemberHealth::Lagging
        }
        Some(report) if report.is_reachable() => v1::MemberHealth::Ok,
        Some(_) => v1::MemberHealth::Unreachable,
        // It has just come.
        None => v1::MemberHealth::Unspecified,
    };
    let failure = report.filter(|_| health == v1::MemberHealth::Unreachable);
    let failure = failure.and_then(|report| report.failures.first());
    let reason = failure.map(|(transport, reason)| format!("{transport}: {reason}"));
    (health, reason.unwrap_or_default())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn role(state: ServerState) -> v1::Role {
    match state {
        ServerState::Leader => v1::Role::Leader,
        ServerState::Candidate => v1::Role::Candidate,
        ServerState::Follower => v1::Role::Follower,
        ServerState::Learner => v1::Role::Learner,
        ServerState::Shutdown => v1::Role::Unspecified,
    }
}

fn log_id(id: LogId<u64>) -> v1::LogId {
    v1::LogId { term: id.leader_id.term, index: id.index }
}
