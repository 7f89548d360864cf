//! The log of a cluster's life for operators: a line at INFO for each election, and for each member that joins or leaves.
//! Raft's own log is for its developers.

use std::collections::BTreeMap;

use super::{
    follower::Follower,
    handle::Handle,
    metrics::{Metrics, is_settled, name, voters},
    pace::{Hidden, Pace},
    running::Running,
};

/// How many elections a minute are logged: members that cannot agree hold one after the other.
const ELECTIONS: u32 = 12;

/// Logs events until the node ends.
pub(super) async fn tell(handle: Handle) {
    let mut follower = Follower::new(&handle);
    let mut story = Story::new();
    while let Some(running) = follower.next().await {
        let metrics = running.raft.metrics();
        let metrics = metrics.borrow();
        story.elections(&running, &metrics);
        story.members(&metrics);
    }
}

/// What has been logged.
struct Story {
    pace: Pace,
    /// The leader, and its term.
    leader: Option<(u64, u64)>,
    /// The last known leader.
    last: Option<(u64, u64)>,
    voters: Option<Voters>,
}

/// The voters, and the log entry that made them so.
struct Voters {
    of: Option<u64>,
    names: BTreeMap<u64, String>,
}

impl Story {
    fn new() -> Self {
        Self { pace: Pace::a_minute(ELECTIONS), leader: None, last: None, voters: None }
    }

    fn elections(&mut self, running: &Running, metrics: &Metrics) {
        let leader = running.quorum.leader(metrics).map(|id| (id, metrics.current_term));
        if leader == self.leader {
            return;
        }
        self.leader = leader;
        if leader.is_none() && voters(metrics).is_empty() {
            // Without a cluster there is no leader.
            return;
        }
        let Some(hidden) = self.pace.admit() else {
            self.last = leader.or(self.last);
            return;
        };
        match leader {
            Some((id, term)) if leader == self.last => {
                tracing::info!(leader = name(metrics, id), term, hidden, "the leader has a majority again");
            }
            Some((id, term)) if id == running.id => elected(running, metrics, term, hidden),
            Some((id, term)) => {
                tracing::info!(leader = name(metrics, id), term, hidden, "this node follows a leader");
            }
            None => {
                let why = running.quorum.problem(metrics, |id| name(metrics, id)).unwrap_or_default();
                tracing::info!(term = metrics.current_term, why, hidden, "the cluster has no leader");
            }
        }
        self.last = leader.or(self.last);
    }

    fn members(&mut self, metrics: &Metrics) {
        let of = metrics.membership_config.log_id().map(|id| id.index);
        if !is_settled(metrics) || self.voters.as_ref().is_some_and(|known| known.of == of) {
            return;
        }
        let ids = metrics.membership_config.membership().voter_ids();
        let names: BTreeMap<_, _> = ids.map(|id| (id, name(metrics, id))).collect();
        let Some(before) = self.voters.replace(Voters { of, names }) else { return };
        let Some(now) = self.voters.as_ref().map(|voters| &voters.names) else { return };
        let (was_in, is_in) = (before.names.contains_key(&metrics.id), now.contains_key(&metrics.id));
        match (was_in, is_in) {
            (true, true) => changes(&before.names, now),
            (false, true) if now.len() > 1 => {
                let members: Vec<_> = now.values().map(String::as_str).collect();
                tracing::info!(members = members.join(" "), "this node is a member of a cluster now");
            }
            // Forming a cluster is logged elsewhere.
            _ => {}
        }
    }
}

fn elected(running: &Running, metrics: &Metrics, term: u64, hidden: Hidden) {
    let mut voters = running.quorum.voters_for(term);
    voters.insert(running.id);
    let votes: Vec<_> = voters.into_iter().map(|id| name(metrics, id)).collect();
    let leader = name(metrics, running.id);
    tracing::info!(leader, term, votes = votes.join(" "), hidden, "this node was elected leader");
}

fn changes(before: &BTreeMap<u64, String>, now: &BTreeMap<u64, String>) {
    for (id, member) in now.iter().filter(|(id, _)| !before.contains_key(id)) {
        tracing::info!(member, id, members = now.len(), "a member has joined the cluster");
    }
    for (id, member) in before.iter().filter(|(id, _)| !now.contains_key(id)) {
        tracing::info!(member, id, members = now.len(), "a member has left the cluster");
    }
}
