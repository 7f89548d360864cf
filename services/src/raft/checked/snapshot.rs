//! Snapshots, by what their senders say they are.

use openraft::{SnapshotMeta, Vote};

use super::{
    bounds::{self, INDEX_LEAP},
    known::Known,
    membership,
    own::Own,
    refusal::Refusal,
    request::{elected, remains},
};
use crate::raft::Member;

/// # Errors
/// Where it contradicts itself.
pub(super) fn shape(vote: &Vote<u64>, meta: &SnapshotMeta<u64, Member>, id: u64) -> Result<(), Refusal> {
    elected(vote, id)?;
    let wrong = |problem: String| Err(Refusal::malformed(format!("invalid snapshot: {problem}")));
    let Some(last) = meta.last_log_id else { return wrong("it is of no entry".to_owned()) };
    bounds::place(&last)?;
    if last.leader_id > vote.leader_id {
        return wrong(format!("its last entry {last} is of a later term than the vote {vote}"));
    }
    let Some(set) = meta.last_membership.log_id() else { return wrong("it has no membership".to_owned()) };
    bounds::place(set)?;
    if *set > last || set.index > last.index {
        return wrong(format!("its membership {set} is behind its last entry {last}"));
    }
    membership::check(meta.last_membership.membership())
}

/// # Errors
/// Where it contradicts what this node has.
pub(super) fn against(
    meta: &SnapshotMeta<u64, Member>,
    id: u64,
    known: &Known,
    own: &Own,
) -> Result<(), Refusal> {
    let Some(last) = meta.last_log_id else { return Ok(()) };
    let wrong = |problem: String| Err(Refusal::contradicts(format!("the snapshot of {last}: {problem}")));
    let committed = known.committed;
    if committed.map_or(0, |id| id.index + 1) > own.end() {
        return Err(Refusal::busy("this node is still installing a snapshot"));
    }
    if let Some(committed) = committed
        && (last.index > committed.index) != (last > committed)
    {
        return wrong(format!("it contradicts this node's log, which is committed up to {committed}"));
    }
    if committed.is_some_and(|committed| last <= committed) {
        // Raft says that it is not needed.
        return Ok(());
    }
    if last.index > own.end().saturating_add(INDEX_LEAP) {
        return wrong(format!("it leaps: the log ends at {}; expected at most 2^40 entries more", own.end()));
    }
    if known.has_self && meta.last_membership.membership().get_node(&id).is_none() {
        return wrong("this node is in its cluster and not in the snapshot's membership".to_owned());
    }
    match (own.at(last.index), own.tail.last) {
        (Some(there), _) if there != last => {
            let since = committed.map_or(0, |id| id.index + 1);
            remains(since, known)
        }
        (None, Some(end)) if last < end => {
            wrong(format!("it is of an earlier term than this node's last entry {end}"))
        }
        _ => Ok(()),
    }
}
