//! Answers of members to this node's own requests.

use openraft::{
    LogId, RaftLogId as _, Vote,
    raft::{AppendEntriesRequest, AppendEntriesResponse, VoteResponse},
};

use super::{
    bounds::{self, TERM_LEAP},
    refusal::{Refusal, Refusals},
};
use crate::raft::{TypeConfig, quorum::Quorum};

/// The checks of the answers that the member `id` gets.
#[derive(Clone, Debug)]
pub(in crate::raft) struct Answers {
    id: u64,
    /// What Raft takes a member to have acknowledged.
    quorum: Quorum,
    refusals: Refusals,
}

/// The last entry that a member has acknowledged since it is called, and under which vote. Raft learns of it a moment later.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::raft) struct Acknowledged(Option<(Vote<u64>, LogId<u64>)>);

impl Acknowledged {
    fn note(&mut self, vote: Vote<u64>, last: Option<LogId<u64>>) {
        let Some(last) = last else { return };
        self.0 = match self.0 {
            Some((of, before)) if of == vote => Some((vote, last.max(before))),
            _ => Some((vote, last)),
        };
    }
}

/// What was sent to a member, to compare its answer with.
#[derive(Clone, Debug)]
pub(in crate::raft) struct Sent {
    vote: Vote<u64>,
    before: Option<LogId<u64>>,
    entries: Vec<LogId<u64>>,
}

impl Sent {
    /// Of this request.
    pub(in crate::raft) fn of(request: &AppendEntriesRequest<TypeConfig>) -> Self {
        let entries = request.entries.iter().map(|entry| *entry.get_log_id()).collect();
        Self { vote: request.vote, before: request.prev_log_id, entries }
    }
}

impl Answers {
    pub(in crate::raft) fn new(id: u64, quorum: Quorum, refusals: Refusals) -> Self {
        Self { id, quorum, refusals }
    }

    /// The answer to entries.
    ///
    /// # Errors
    /// Where it cannot be an answer to what was sent.
    pub(in crate::raft) fn entries(
        &self,
        member: u64,
        sent: &Sent,
        acknowledged: &mut Acknowledged,
        answer: AppendEntriesResponse<u64>,
    ) -> Result<AppendEntriesResponse<u64>, Refusal> {
        let checked = match answer {
            AppendEntriesResponse::Success => {
                acknowledged.note(sent.vote, sent.entries.last().copied().or(sent.before));
                Ok(AppendEntriesResponse::Success)
            }
            AppendEntriesResponse::PartialSuccess(matching) => partial(sent, acknowledged, matching),
            AppendEntriesResponse::Conflict => self.conflict(member, sent, acknowledged),
            AppendEntriesResponse::HigherVote(vote) => {
                self.higher(&sent.vote, vote).map(AppendEntriesResponse::HigherVote)
            }
        };
        checked.map_err(|refusal| self.refusals.note("an answer", member, refusal))
    }

    fn conflict(
        &self,
        member: u64,
        sent: &Sent,
        acknowledged: &Acknowledged,
    ) -> Result<AppendEntriesResponse<u64>, Refusal> {
        let Some(before) = sent.before else {
            return Err(Refusal::malformed("a conflict with entries that nothing comes before"));
        };
        let told = acknowledged.0.filter(|(vote, _)| *vote == sent.vote).map(|(_, last)| last);
        // A member that was removed and has joined again has acknowledged nothing.
        match told.max(self.quorum.acknowledged(&sent.vote, member)) {
            Some(last) if before.index <= last.index => Err(Refusal::contradicts(format!(
                "a conflict at {before}, and {last} was acknowledged before"
            ))),
            _ => Ok(AppendEntriesResponse::Conflict),
        }
    }

    /// A vote in an answer says that there is a later term, and makes no leader: a leader says so itself.
    fn higher(&self, own: &Vote<u64>, told: Vote<u64>) -> Result<Vote<u64>, Refusal> {
        let told = self.later(own, told)?;
        match told > *own {
            true => Ok(told),
            false => Err(Refusal::malformed(format!("the vote {told} is not above this node's {own}"))),
        }
    }

    fn later(&self, own: &Vote<u64>, told: Vote<u64>) -> Result<Vote<u64>, Refusal> {
        bounds::term(told.leader_id.term)?;
        if told.leader_id.term > own.leader_id.term.saturating_add(TERM_LEAP) {
            return Err(Refusal::contradicts(format!(
                "term {} leaps: this node is in term {}; expected at most 2^28 terms more",
                told.leader_id.term, own.leader_id.term
            )));
        }
        if told.leader_id.node_id == self.id && told.leader_id > own.leader_id {
            return Err(Refusal::denied(format!(
                "the vote {told} is for this node, which has not stood for it"
            )));
        }
        Ok(Vote { committed: false, ..told })
    }

    /// The answer to a candidate.
    ///
    /// # Errors
    /// Where it cannot be an answer to this vote.
    pub(in crate::raft) fn vote(
        &self,
        member: u64,
        own: &Vote<u64>,
        answer: VoteResponse<u64>,
    ) -> Result<VoteResponse<u64>, Refusal> {
        let check = || {
            answer.last_log_id.iter().try_for_each(bounds::place)?;
            if answer.vote_granted && answer.vote != *own {
                return Err(Refusal::malformed(format!(
                    "the vote {} is granted; expected {own}",
                    answer.vote
                )));
            }
            Ok(VoteResponse { vote: self.later(own, answer.vote)?, ..answer })
        };
        check().map_err(|refusal| self.refusals.note("an answer", member, refusal))
    }

    /// The answer to a snapshot.
    ///
    /// # Errors
    /// Where it cannot be an answer to this vote.
    pub(in crate::raft) fn snapshot(
        &self,
        member: u64,
        own: &Vote<u64>,
        told: Vote<u64>,
    ) -> Result<Vote<u64>, Refusal> {
        if told == *own {
            return Ok(told);
        }
        self.higher(own, told).map_err(|refusal| self.refusals.note("an answer", member, refusal))
    }
}

/// One entry at least, or the rest would be sent again and again.
fn partial(
    sent: &Sent,
    acknowledged: &mut Acknowledged,
    matching: Option<LogId<u64>>,
) -> Result<AppendEntriesResponse<u64>, Refusal> {
    match matching.filter(|matching| sent.entries.contains(matching)) {
        Some(matching) => {
            acknowledged.note(sent.vote, Some(matching));
            Ok(AppendEntriesResponse::PartialSuccess(Some(matching)))
        }
        None => Err(Refusal::malformed("a partial success without one of the entries that were sent")),
    }
}
