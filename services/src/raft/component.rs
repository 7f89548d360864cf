use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use polywire::{Channel, Component, ComponentError, Health, NodeHandle, Parts, ServiceExt as _, Status};
use tokio::{task::JoinSet, time::Instant};

use super::{
    Member, access,
    announce::{announce, introduce},
    announcing::{Announcing, REMOVED},
    bootstrap,
    cluster::ClusterServer,
    cluster_node::ClusterNode,
    collector::RaftCollector,
    completing, events,
    examine::conflict,
    follower::Follower,
    handle::Handle,
    kv::{KvNode, KvServer},
    lifecycle::Lifecycle,
    membership::RaftMembership,
    membership_news,
    metrics::{LAG, Metrics, leads},
    plaintext,
    proof::Checking,
    reach, reopening,
    running::Running,
    server::{RaftNode, RaftServer},
    token_records::TokenRecordsServer,
    token_store::ClusterTokens,
};
use crate::node_context::{NodeContext, register_membership};

/// The cluster as a component of a node: Raft, the key-value store and the service that forms the cluster. It registers
/// its membership, so that status, directory and monitoring of the node report on it.
///
/// A node alone is a cluster of one. With `cluster.peers` it forms or joins a cluster with these peers.
#[derive(Debug)]
pub struct RaftComponent {
    lifecycle: Lifecycle,
    tokens: ClusterTokens,
    parts: Parts,
    tasks: Mutex<JoinSet<()>>,
}

impl RaftComponent {
    /// A component of the node that has these parts.
    pub fn new(parts: &Parts) -> Self {
        let handle = Handle::new(parts.health.clone());
        register_membership(parts, RaftMembership(handle.clone()));
        let tokens = ClusterTokens::new(handle.clone());
        access::add_to(&parts.access, &handle);
        let guarding = handle.clone();
        let guard = move |service| Channel::new(Checking::around(service, &guarding));
        NodeContext::of(parts).guard_by(Box::new(guard));
        Self { lifecycle: Lifecycle::new(handle), tokens, parts: parts.clone(), tasks: Mutex::default() }
    }

    /// This node's Raft, for services that use it.
    pub fn handle(&self) -> &Handle {
        &self.lifecycle.handle
    }

    /// Runs a task until the component stops. A panicked task is not restarted: the node reports that it needs a restart.
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let health = self.parts.health.clone();
        let task = async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                health.needs_restart(format!("the cluster's task {name} has panicked"));
            }
        };
        self.tasks.lock().spawn(task);
    }
}

impl Component for RaftComponent {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn services(&self) -> Vec<Channel> {
        let handle = self.handle().clone();
        let raft = RaftServer::new(RaftNode::new(handle.clone())).into_channel();
        let kv = KvServer::new(KvNode::new(handle.clone())).into_channel();
        let cluster = ClusterServer::new(ClusterNode::new(self.lifecycle.clone())).into_channel();
        let records = TokenRecordsServer::new(self.tokens.clone()).into_channel();
        vec![
            Channel::new(Checking::members_alone(raft, &handle)),
            Channel::new(Checking::around(kv, &handle)),
            Channel::new(Checking::around(cluster, &handle)),
            Channel::new(Checking::members_alone(records, &handle)),
        ]
    }

    async fn start(&self, node: NodeHandle) -> Result<(), ComponentError> {
        let peers = node.parts.config.cluster.peers.clone();
        let secret = node.connect_options.secret_key.ok_or("the node has no key")?;
        self.handle().trust().set_tokens(node.parts.tokens()?.clone());
        self.handle().trust().begin(&secret, peers.iter().filter_map(reach::pinned).collect());
        plaintext::warn(&node.parts.config.transport);
        self.lifecycle.start(NodeContext::of(&node.parts).bind(&node), peers.is_empty()).await?;
        self.tokens.load().await?;
        node.parts.tokens()?.set_shared(Arc::new(self.tokens.clone()));
        node.parts.metrics.add_collector(Box::new(RaftCollector::new(self.handle().clone())?))?;
        check(&node.parts.health, self.handle());
        if !peers.is_empty() {
            self.spawn("bootstrap", bootstrap::join_or_form(self.lifecycle.clone(), peers));
        }
        let health = &node.parts.health;
        self.spawn("announce", keep_known(self.lifecycle.clone()));
        self.spawn("health", keep_healthy(self.handle().clone(), health.clone()));
        self.spawn("storage", reopening::keep_open(self.lifecycle.clone(), health.clone()));
        self.spawn("tokens", self.tokens.clone().follow());
        self.spawn("members", membership_news::keep_informed(self.handle().clone()));
        self.spawn("events", events::tell(self.handle().clone()));
        self.spawn("changes", completing::complete_changes(self.handle().clone()));
        Ok(())
    }

    async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.lifecycle.stop().await;
    }
}

fn check(health: &Health, handle: &Handle) {
    let raft = handle.clone();
    health.register("raft", move || std::future::ready(raft_health(&raft)));
    let storage = handle.clone();
    health.register("storage", move || {
        let storage = storage.clone();
        async move {
            let running = storage.running().map_err(|status| status.message().to_owned())?;
            running.store.probe().await
        }
    });
    let peers = handle.clone();
    health.register("peers", move || std::future::ready(peers_health(&peers)));
}

fn raft_health(handle: &Handle) -> Result<(), String> {
    let running = handle.running().map_err(|status| status.message().to_owned())?;
    running.admitted().map_err(|status| status.message().to_owned())?;
    let metrics = running.metrics();
    if let Err(error) = &metrics.running_state {
        return Err(format!("Raft has stopped: {}", running.disk.explain(error)));
    }
    if voters_are_none(&metrics.membership_config) {
        return Err(match running.store.is_lost() {
            true => running.lost(),
            false => "this node is in no cluster yet".to_owned(),
        });
    }
    if running.is_removed() {
        return Err(REMOVED.to_owned());
    }
    if let Some(problem) = running.leaderless() {
        return Err(problem);
    }
    keeps_up(&metrics, running.leader_commit.load(Ordering::Relaxed))
}

/// Whether this node's store keeps up with its own log and with the entries that its leader has committed: entries that
/// this node has not received yet are not in its log.
fn keeps_up(metrics: &Metrics, leader_commit: u64) -> Result<(), String> {
    let applied = metrics.last_applied.map_or(0, |id| id.index);
    let behind_leader = leader_commit.saturating_sub(applied);
    if behind_leader > LAG {
        return Err(format!(
            "this node is {behind_leader} entries behind its leader, which has committed {leader_commit}, and \
             {applied} are applied here; expected at most {LAG}"
        ));
    }
    let behind = metrics.last_log_index.unwrap_or_default().saturating_sub(applied);
    match behind > LAG {
        true => Err(format!("{behind} log entries are not applied yet; expected at most {LAG}")),
        false => Ok(()),
    }
}

fn voters_are_none(membership: &openraft::StoredMembership<u64, Member>) -> bool {
    membership.membership().voter_ids().next().is_none()
}

fn peers_health(handle: &Handle) -> Result<(), String> {
    let metrics = handle.metrics().ok_or("Raft has not started")?;
    if metrics.running_state.is_err() {
        return Err("unknown: Raft has stopped".to_owned());
    }
    if metrics.current_leader.is_some() {
        return Ok(());
    }
    if !leads(&metrics) {
        return Err("no leader is known".to_owned());
    }
    let silence = match metrics.millis_since_quorum_ack {
        Some(silence) => format!("for {silence} ms"),
        None => "since the start".to_owned(),
    };
    let silent = handle.peers().into_iter().filter(|peer| !peer.is_reachable());
    let silent: Vec<_> = silent
        .map(|peer| match peer.failures.first() {
            Some((transport, reason)) => format!("{} over {transport}: {reason}", peer.member.name),
            None => peer.member.name,
        })
        .collect();
    Err(format!("no majority has answered {silence} (not reachable: {})", silent.join("; ")))
}

/// Runs the health checks again as soon as the leader changes, Raft stops or this node is removed. Raft publishes its
/// metrics several times a second, so timeouts are noticed too.
async fn keep_healthy(handle: Handle, health: Health) {
    let mut follower = Follower::new(&handle);
    let mut before = None;
    while let Some(running) = follower.next().await {
        let now = {
            let metrics = running.raft.metrics();
            let metrics = metrics.borrow();
            let leader = running.quorum.leader(&metrics);
            (leader, metrics.running_state.clone(), running.is_removed(), Arc::as_ptr(&running).addr())
        };
        drop(running);
        if before.as_ref() != Some(&now) {
            health.run_checks(CHECKING).await;
            before = Some(now);
        }
    }
}

/// How long the checks may take.
const CHECKING: Duration = Duration::from_secs(5);

/// How long a node goes without a leader before it announces itself again, over new connections.
const SILENCE: Duration = Duration::from_secs(2);

/// Keeps this node's addresses of the other members, and theirs of it, up to date: addresses change with a restart.
async fn keep_known(lifecycle: Lifecycle) {
    let handle = lifecycle.handle.clone();
    let mut starts = handle.starts();
    'starts: loop {
        starts.borrow_and_update();
        if let Ok(running) = handle.running() {
            let mut metrics = running.raft.metrics();
            let mut silent = Instant::now();
            let mut announcing = Announcing::new();
            let mut told: Option<Instant> = None;
            loop {
                let known = metrics.borrow_and_update().membership_config.clone();
                let membership = known.membership();
                running.peers.retain(|id| membership.get_node(&id).is_some());
                for (id, member) in membership.nodes().filter(|(id, _)| **id != running.id) {
                    running.peers.learn(*id, member);
                }
                let leaderless = metrics.borrow().current_leader.is_none();
                let alone = membership.nodes().count() < 2;
                let known = membership.get_node(&running.id);
                let moved = known.is_some_and(|known| is_news(known, &running.member(), told));
                let unheard = leaderless && !alone && silent.elapsed() >= SILENCE;
                if (moved || unheard) && announcing.is_due() {
                    silent = Instant::now();
                    if unheard {
                        running.peers.renew();
                    }
                    announcing.tried(&running, make_known(&lifecycle, &running).await);
                    told = Some(Instant::now());
                } else if !moved && running.admitted().is_ok() {
                    running.begin();
                }
                handle.health().note(CONFLICT, handle.conflicts().text());
                if !leaderless {
                    silent = Instant::now();
                }
                tokio::select! {
                    () = tokio::time::sleep(SILENCE) => {}
                    changed = metrics.changed() => if changed.is_err() { break },
                    changed = starts.changed() => match changed {
                        Ok(()) => continue 'starts,
                        Err(_) => return,
                    },
                }
            }
        }
        if starts.changed().await.is_err() {
            return;
        }
    }
}

/// How often a node repeats its incarnation to a leader that ignores incarnations.
const OLD_LEADER: Duration = Duration::from_secs(60);

/// Whether the cluster's record of a member is out of date. A leader of a version without incarnations drops them.
fn is_news(known: &Member, now: &Member, told: Option<Instant>) -> bool {
    let incarnation = match told {
        Some(told) if known.incarnation == 0 && told.elapsed() < OLD_LEADER => 0,
        _ => now.incarnation,
    };
    *known != Member { incarnation, ..now.clone() }
}

/// The name of the health note about members with two processes.
const CONFLICT: &str = "identity";

/// Announces this node to the other members, and lets it stand for election once they have verified that it is the member
/// they know.
async fn make_known(lifecycle: &Lifecycle, running: &Running) -> Result<(), Status> {
    let mut outcome = introduce(&lifecycle.handle).await;
    if outcome.is_ok() && running.admitted().is_ok() {
        running.begin();
        outcome = announce(&lifecycle.handle).await;
    }
    if let Err(status) = &outcome
        && let Some(problem) = conflict(status)
    {
        let first = running.admitted().is_ok();
        running.withdraw(problem).await;
        // Peers must not reach this process over an old connection of this identity.
        running.peers.renew();
        if first {
            lifecycle.handle.health().run_checks(CHECKING).await;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, LogId};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_takes_up_no_run_is_told_now_and_then_and_every_other_at_once() {
        let run = |incarnation| Member { incarnation, ..Member::default() };
        let told = Some(Instant::now());
        assert!(!is_news(&run(2), &run(2), None));
        assert!(is_news(&run(1), &run(2), told));
        assert!(is_news(&run(0), &run(2), None));
        assert!(!is_news(&run(0), &run(2), told));
        tokio::time::advance(OLD_LEADER).await;
        assert!(is_news(&run(0), &run(2), told));
    }

    fn metrics(last: u64, applied: u64) -> Metrics {
        let applied = LogId::new(CommittedLeaderId::new(1, 1), applied);
        Metrics { last_log_index: Some(last), last_applied: Some(applied), ..Metrics::new_initial(1) }
    }

    #[test]
    fn a_node_lags_behind_its_leader_and_behind_its_own_log() {
        assert_eq!(keeps_up(&metrics(20_000, 10_000), 0), Ok(()));
        assert_eq!(keeps_up(&metrics(10_000, 10_000), 20_000), Ok(()));
        let behind = keeps_up(&metrics(10_000, 10_000), 20_001).unwrap_err();
        assert_eq!(
            behind,
            "this node is 10001 entries behind its leader, which has committed 20001, and 10000 are applied here; \
             expected at most 10000"
        );
        let unapplied = keeps_up(&metrics(20_001, 10_000), 0).unwrap_err();
        assert!(unapplied.starts_with("10001 log entries are not applied yet"), "{unapplied}");
    }
}
