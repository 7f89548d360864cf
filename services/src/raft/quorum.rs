//! Whether a majority of the voters confirms the leader that this node knows, and how long ago it did.
//!
//! Raft's metrics do not tell that. A vote is on disk, so a restarted leader reports itself as leader before it has reached
//! a single member, and a restarted follower still names its old leader; a leader that has lost its majority keeps
//! reporting itself as leader.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use openraft::{LogId, ServerState, Vote};
use tokio::{sync::watch, time::Instant};

use super::metrics::Metrics;

/// What is known of the leader's majority. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Quorum(Arc<LeaderEvidence>);

#[derive(Debug)]
struct LeaderEvidence {
    /// The age limit of the majority's last answer.
    limit: Duration,
    /// Raft's metrics, once it runs.
    metrics: OnceLock<watch::Receiver<Metrics>>,
    /// The last message of a leader other than this node.
    heard: watch::Sender<Option<Heard>>,
    /// Raised when a leader becomes confirmed.
    found: watch::Sender<u64>,
    /// The members that have voted for this node, and in which term.
    ballot: watch::Sender<(u64, BTreeSet<u64>)>,
}

/// A message of a leader.
#[derive(Clone, Copy, Debug)]
struct Heard {
    leader: u64,
    term: u64,
    at: Instant,
    /// When a majority last answered it.
    confirmed: Option<Instant>,
}

/// The age that a leader sends before a majority has answered it.
const NEVER: u64 = u64::MAX;

impl Quorum {
    /// The state of a node that has heard from no leader yet.
    pub(super) fn new(limit: Duration) -> Self {
        Self(Arc::new(LeaderEvidence {
            limit,
            metrics: OnceLock::new(),
            heard: watch::Sender::default(),
            found: watch::Sender::default(),
            ballot: watch::Sender::default(),
        }))
    }

    /// Sets Raft's metrics, once it runs.
    pub(super) fn follow(&self, metrics: watch::Receiver<Metrics>) {
        self.0.metrics.get_or_init(|| metrics);
    }

    /// The milliseconds since a majority last answered this node, for its followers.
    pub(super) fn own_age_ms(&self) -> u64 {
        let age = self.0.metrics.get().and_then(|metrics| metrics.borrow().millis_since_quorum_ack);
        age.unwrap_or(NEVER)
    }

    /// The last entry that this member has acknowledged to this node as the leader of this vote, as far as Raft has heard.
    pub(super) fn acknowledged(&self, vote: &Vote<u64>, member: u64) -> Option<LogId<u64>> {
        let metrics = self.0.metrics.get()?.borrow();
        let progress = metrics.replication.as_ref().filter(|_| metrics.vote == *vote)?;
        progress.get(&member).copied().flatten()
    }

    /// Notes an accepted message of a leader, with the age of its majority. An older version sends no age and counts as
    /// confirmed.
    pub(super) fn heard(&self, vote: &Vote<u64>, age_ms: Option<u64>) {
        let at = Instant::now();
        let confirmed = match age_ms {
            None => Some(at),
            Some(NEVER) => None,
            Some(age) => at.checked_sub(Duration::from_millis(age)),
        };
        let (leader, term) = (vote.leader_id.node_id, vote.leader_id.term);
        let now = Heard { leader, term, at, confirmed };
        let before = self.0.heard.send_replace(Some(now));
        let same = before.filter(|before| (before.leader, before.term) == (leader, term));
        if self.is_recent(&now) && !same.is_some_and(|before| self.is_recent(&before)) {
            self.0.found.send_modify(|count| *count += 1);
        }
    }

    /// Changes when a leader becomes confirmed; Raft's metrics do not show that.
    pub(super) fn found(&self) -> watch::Receiver<u64> {
        self.0.found.subscribe()
    }

    fn is_recent(&self, heard: &Heard) -> bool {
        heard.confirmed.is_some_and(|at| at.elapsed() <= self.0.limit)
    }

    /// Notes a vote for this node.
    pub(super) fn voted(&self, term: u64, voter: u64) {
        self.0.ballot.send_modify(|(of, voters)| {
            if *of != term {
                (*of, *voters) = (term, BTreeSet::new());
            }
            voters.insert(voter);
        });
    }

    /// The other members that have voted for this node in that term.
    pub(super) fn voters_for(&self, term: u64) -> BTreeSet<u64> {
        let ballot = self.0.ballot.borrow();
        if ballot.0 == term { ballot.1.clone() } else { BTreeSet::new() }
    }

    /// How long ago a majority confirmed the leader that Raft names; `None` without a leader, and before the first
    /// confirmation since this node started.
    pub(super) fn age(&self, metrics: &Metrics) -> Option<Duration> {
        let leader = metrics.current_leader.filter(|_| metrics.running_state.is_ok())?;
        if leads(metrics) {
            return metrics.millis_since_quorum_ack.map(Duration::from_millis);
        }
        let heard = self.of(leader, metrics)?;
        heard.confirmed.map(|at| at.elapsed())
    }

    /// The leader, if a majority has confirmed it recently.
    pub(super) fn leader(&self, metrics: &Metrics) -> Option<u64> {
        let lately = self.age(metrics).is_some_and(|age| age <= self.0.limit);
        metrics.current_leader.filter(|_| lately)
    }

    /// Why the leader that Raft names is not confirmed; `None` if it is. `name` gives the name of a member.
    pub(super) fn problem(&self, metrics: &Metrics, name: impl Fn(u64) -> String) -> Option<String> {
        let Some(leader) = metrics.current_leader else {
            return Some(format!("no leader in term {}", metrics.current_term));
        };
        if self.leader(metrics).is_some() {
            return None;
        }
        let since = |age: Option<Duration>| match age {
            Some(age) => format!("for {} ms", age.as_millis()),
            None => "since the start".to_owned(),
        };
        let age = self.age(metrics);
        if leads(metrics) {
            return Some(format!("no majority has confirmed this node as leader {}", since(age)));
        }
        let silence = self.of(leader, metrics).map(|heard| heard.at.elapsed());
        let name = name(leader);
        Some(match silence {
            Some(silence) if silence <= self.0.limit => {
                format!("the leader {name} has had no majority {}", since(age))
            }
            silence => format!("no message from the leader {name} {}", since(silence)),
        })
    }

    /// The last message of this leader in this term.
    fn of(&self, leader: u64, metrics: &Metrics) -> Option<Heard> {
        let heard = *self.0.heard.borrow();
        heard.filter(|heard| heard.leader == leader && heard.term == metrics.current_term)
    }
}

fn leads(metrics: &Metrics) -> bool {
    metrics.state == ServerState::Leader
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(2_400);

    fn follower(leader: u64) -> Metrics {
        Metrics { current_leader: Some(leader), current_term: 3, ..Metrics::new_initial(1) }
    }

    fn leader(acknowledged: Option<u64>) -> Metrics {
        Metrics { state: ServerState::Leader, millis_since_quorum_ack: acknowledged, ..follower(1) }
    }

    fn vote(leader: u64) -> Vote<u64> {
        Vote::new_committed(3, leader)
    }

    fn problem(quorum: &Quorum, metrics: &Metrics) -> Option<String> {
        quorum.problem(metrics, |id| format!("node-{id}"))
    }

    #[test]
    fn a_leader_leads_once_a_majority_has_answered_and_for_as_long_as_it_does() {
        let quorum = Quorum::new(LIMIT);
        assert_eq!(quorum.leader(&leader(None)), None);
        let why = "no majority has confirmed this node as leader since the start";
        assert_eq!(problem(&quorum, &leader(None)).unwrap(), why);
        assert_eq!(quorum.leader(&leader(Some(0))), Some(1));
        assert_eq!(problem(&quorum, &leader(Some(2_400))), None);
        assert_eq!(quorum.leader(&leader(Some(2_401))), None);
        let why = "no majority has confirmed this node as leader for 2401 ms";
        assert_eq!(problem(&quorum, &leader(Some(2_401))).unwrap(), why);
    }

    #[tokio::test(start_paused = true)]
    async fn a_follower_believes_a_leader_that_it_hears_and_that_has_a_majority() {
        let quorum = Quorum::new(LIMIT);
        let why = "no message from the leader node-2 since the start";
        assert_eq!(problem(&quorum, &follower(2)).unwrap(), why);
        quorum.heard(&vote(2), Some(NEVER));
        let why = "the leader node-2 has had no majority since the start";
        assert_eq!(problem(&quorum, &follower(2)).unwrap(), why);
        quorum.heard(&vote(2), Some(400));
        assert_eq!(quorum.leader(&follower(2)), Some(2));
        assert_eq!(quorum.age(&follower(2)), Some(Duration::from_millis(400)));
        tokio::time::advance(Duration::from_millis(2_001)).await;
        let why = "the leader node-2 has had no majority for 2401 ms";
        assert_eq!(problem(&quorum, &follower(2)).unwrap(), why);
        tokio::time::advance(Duration::from_millis(400)).await;
        let why = "no message from the leader node-2 for 2401 ms";
        assert_eq!(problem(&quorum, &follower(2)).unwrap(), why);
        quorum.heard(&vote(2), None);
        assert_eq!(problem(&quorum, &follower(2)), None, "an older version is believed");
        assert_eq!(quorum.leader(&follower(3)), None, "that was another one");
    }

    #[test]
    fn who_has_voted_is_known_for_one_term() {
        let quorum = Quorum::new(LIMIT);
        quorum.voted(3, 2);
        quorum.voted(3, 4);
        assert_eq!(quorum.voters_for(3), BTreeSet::from([2, 4]));
        quorum.voted(4, 2);
        assert_eq!(quorum.voters_for(4), BTreeSet::from([2]));
        assert!(quorum.voters_for(3).is_empty());
    }
}
