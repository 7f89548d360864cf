use openraft::{LogId, Vote};

use super::{Standing, bounds::TERM_LEAP, ended, refusal::Refusal};
use crate::raft::TypeConfig;

/// What Raft knows when a message arrives.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// This node's own vote.
    pub(super) vote: Vote<u64>,
    /// The last entry that is committed.
    pub(super) committed: Option<LogId<u64>>,
    /// The entry of the membership that no truncation may take out.
    pub(super) settled: Option<LogId<u64>>,
    /// Whether this node knows no members yet.
    pub(super) is_new: bool,
    /// Whether this node is in the membership that it knows.
    pub(super) has_self: bool,
    /// Whether this node leads or stands for election, and so may commit entries of its own at any time.
    pub(super) leads: bool,
    /// Whether the sender votes in one of the two memberships that this node knows.
    sender_votes: bool,
}

impl Known {
    /// What Raft knows of the sender of this vote, once it has heard the requests before.
    ///
    /// # Errors
    /// Where Raft has ended.
    pub(super) async fn of(
        raft: &openraft::Raft<TypeConfig>,
        id: u64,
        vote: &Vote<u64>,
    ) -> Result<Self, Refusal> {
        let sender = vote.leader_id.node_id;
        let looking = raft.with_raft_state(move |state| {
            let memberships = &state.membership_state;
            let (effective, committed) = (memberships.effective(), memberships.committed());
            Self {
                vote: *state.vote_ref(),
                committed: state.committed,
                settled: *committed.log_id(),
                is_new: effective.voter_ids().next().is_none(),
                leads: state.vote_ref().leader_id.node_id == id,
                has_self: effective.get_node(&id).is_some(),
                sender_votes: effective.voter_ids().chain(committed.voter_ids()).any(|voter| voter == sender),
            }
        });
        looking.await.map_err(ended)
    }

    /// Whether the sender may have this vote, which is not lower than this node's own.
    ///
    /// # Errors
    /// Where it leaps, or where its sender does not vote as far as this node knows.
    pub(super) fn admit(&self, vote: &Vote<u64>, standing: Standing) -> Result<(), Refusal> {
        // A node that joins knows neither the term nor the members, and its access control admits members alone.
        if self.is_new {
            return Ok(());
        }
        let (own, told) = (self.vote.leader_id.term, vote.leader_id.term);
        if told > own.saturating_add(TERM_LEAP) {
            return Err(Refusal::contradicts(format!(
                "term {told} leaps: this node is in term {own}; expected at most 2^28 terms more"
            )));
        }
        // A leader that leaves leads until its last membership is committed.
        let is_followed = self.vote.leader_id == vote.leader_id;
        match is_followed || self.sender_votes || standing == Standing::Voter {
            true => Ok(()),
            false => Err(Refusal::denied(format!(
                "node {} is no voter of this cluster, as far as this node knows; expected the vote of one",
                vote.leader_id.node_id
            ))),
        }
    }
}
