//! Requests: entries of a leader, and questions of a candidate.

use openraft::{
    EntryPayload, LogId, RaftLogId as _, Vote,
    raft::{AppendEntriesRequest, VoteRequest},
};

use super::{
    bounds::{self, ENTRIES},
    known::Known,
    membership,
    own::Own,
    refusal::Refusal,
};
use crate::raft::TypeConfig;

/// Checks that entries follow one another, and limits the commit to the last of them.
///
/// # Errors
/// Where they contradict themselves.
pub(super) fn entries(request: &mut AppendEntriesRequest<TypeConfig>, id: u64) -> Result<(), Refusal> {
    elected(&request.vote, id)?;
    if request.entries.len() > ENTRIES {
        let count = request.entries.len();
        return Err(Refusal::malformed(format!(
            "{count} entries in one message; expected at most {ENTRIES}"
        )));
    }
    let mut last = request.prev_log_id;
    last.iter().try_for_each(bounds::place)?;
    for entry in &request.entries {
        let id = entry.get_log_id();
        bounds::place(id)?;
        follows(last, id)?;
        if let EntryPayload::Membership(membership) = &entry.payload {
            membership::check(membership)?;
        }
        last = Some(*id);
    }
    if let Some(last) = last.filter(|last| last.leader_id > request.vote.leader_id) {
        return Err(Refusal::malformed(format!(
            "entry {last} is of a later term than the vote {}",
            request.vote
        )));
    }
    if let Some(commit) = request.leader_commit {
        bounds::place(&commit)?;
        request.leader_commit = within(request, commit, last)?;
    }
    Ok(())
}

/// A vote that a majority has given, to its sender.
pub(super) fn elected(vote: &Vote<u64>, id: u64) -> Result<(), Refusal> {
    of_other(vote, id)?;
    match vote.committed {
        true => Ok(()),
        false => {
            Err(Refusal::malformed(format!("entries of the candidate {vote}; expected an elected leader")))
        }
    }
}

fn of_other(vote: &Vote<u64>, id: u64) -> Result<(), Refusal> {
    bounds::term(vote.leader_id.term)?;
    match vote.leader_id.node_id == id {
        true => {
            Err(Refusal::denied(format!("the vote {vote} is for this node; expected one for its sender")))
        }
        false => Ok(()),
    }
}

fn follows(last: Option<LogId<u64>>, id: &LogId<u64>) -> Result<(), Refusal> {
    let expected = last.map_or(0, |last| last.index + 1);
    if id.index != expected {
        return Err(Refusal::malformed(format!("entry {id} leaves a gap; expected index {expected}")));
    }
    match last {
        Some(last) if id.leader_id < last.leader_id => {
            Err(Refusal::malformed(format!("entry {id} is of an earlier term than {last} before it")))
        }
        _ => Ok(()),
    }
}

/// The commit, as far as this message goes: a leader has committed what a follower does not have yet.
fn within(
    request: &AppendEntriesRequest<TypeConfig>,
    commit: LogId<u64>,
    last: Option<LogId<u64>>,
) -> Result<Option<LogId<u64>>, Refusal> {
    let wrong =
        |there: &LogId<u64>| Refusal::malformed(format!("commit {commit} contradicts the entry {there}"));
    if commit.leader_id > request.vote.leader_id {
        return Err(Refusal::malformed(format!(
            "commit {commit} is of a later term than the vote {}",
            request.vote
        )));
    }
    let Some(last) = last else { return Ok(None) };
    if commit.index > last.index {
        return if commit.leader_id < last.leader_id { Err(wrong(&last)) } else { Ok(Some(last)) };
    }
    let ids = request.entries.iter().map(|entry| *entry.get_log_id());
    match request.prev_log_id.into_iter().chain(ids).find(|id| id.index >= commit.index) {
        Some(there) if there.index == commit.index && there != commit => Err(wrong(&there)),
        Some(there) if there.leader_id < commit.leader_id => Err(wrong(&there)),
        _ => Ok(Some(commit)),
    }
}

/// Whether the commit is before the entries, so that it must be looked up.
pub(super) fn looks_back(request: &AppendEntriesRequest<TypeConfig>) -> bool {
    match (request.leader_commit, request.prev_log_id) {
        (Some(commit), Some(prev)) => commit.index < prev.index,
        _ => false,
    }
}

/// Checks entries against what this node has.
///
/// # Errors
/// Where they contradict what is committed.
pub(super) fn against(
    request: &mut AppendEntriesRequest<TypeConfig>,
    known: &Known,
    own: &Own,
) -> Result<(), Refusal> {
    let reached = [known.committed, known.settled].into_iter().flatten().map(|id| id.index + 1).max();
    if reached > Some(own.end()) {
        return Err(Refusal::busy("this node is still installing a snapshot"));
    }
    let ids = request.entries.iter().map(|entry| *entry.get_log_id());
    for id in request.prev_log_id.into_iter().chain(ids) {
        match known.committed {
            Some(committed) if id.index <= committed.index => stays(&id, &committed, own)?,
            // The first that differs takes the rest out.
            _ if id.index < own.end() && own.at(id.index) != Some(id) => {
                remains(id.index, known)?;
                break;
            }
            _ => {}
        }
    }
    request.leader_commit = looked_up(request, known, own)?;
    Ok(())
}

/// What is committed stays.
fn stays(id: &LogId<u64>, committed: &LogId<u64>, own: &Own) -> Result<(), Refusal> {
    let is_own = match own.at(id.index) {
        Some(own) => own == *id,
        // It has left the log.
        None => {
            own.tail.purged.is_some_and(|purged| id.index <= purged.index && id.leader_id <= purged.leader_id)
        }
    };
    match is_own || id == committed {
        true => Ok(()),
        false => Err(Refusal::contradicts(format!(
            "entry {id} contradicts this node's log, which is committed up to {committed}"
        ))),
    }
}

/// The last membership but one stays: it was committed when the last was proposed.
pub(super) fn remains(since: u64, known: &Known) -> Result<(), Refusal> {
    match known.settled {
        Some(settled) if settled.index >= since => Err(Refusal::contradicts(format!(
            "entries from {since} on contradict this node's log, and the membership {settled} stays"
        ))),
        _ => Ok(()),
    }
}

/// The commit, where it is before the entries: one of this node's own, if it has the entry before them.
fn looked_up(
    request: &AppendEntriesRequest<TypeConfig>,
    known: &Known,
    own: &Own,
) -> Result<Option<LogId<u64>>, Refusal> {
    let (Some(commit), Some(prev)) = (request.leader_commit, request.prev_log_id) else {
        return Ok(request.leader_commit);
    };
    if commit.index >= prev.index {
        return Ok(Some(commit));
    }
    if known.committed.is_some_and(|committed| commit.index <= committed.index) {
        return Ok(None);
    }
    match own.at(commit.index) {
        Some(there) if there == commit => Ok(Some(commit)),
        Some(there) if own.at(prev.index) == Some(prev) => {
            Err(Refusal::contradicts(format!("commit {commit} contradicts this node's entry {there}")))
        }
        // Raft answers that the logs differ.
        _ => Ok(None),
    }
}

/// Checks a candidate's question.
///
/// # Errors
/// Where it contradicts itself.
pub(super) fn candidacy(question: &VoteRequest<u64>, id: u64) -> Result<(), Refusal> {
    let vote = &question.vote;
    of_other(vote, id)?;
    if vote.committed {
        return Err(Refusal::malformed(format!("the question of the leader {vote}; expected a candidate")));
    }
    let Some(last) = question.last_log_id else { return Ok(()) };
    bounds::place(&last)?;
    match last.leader_id.term < vote.leader_id.term {
        true => Ok(()),
        false => {
            Err(Refusal::malformed(format!("the last entry {last} is not of an earlier term than {vote}")))
        }
    }
}
