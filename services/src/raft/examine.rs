//! Verifies that a process which claims to be a member is that member.

use std::time::Duration;

use polywire::Status;
use polywire_proto::cluster::v1;
use tokio::time::timeout;

use super::{cluster::ClusterClient, handle::Handle, member_wire::read_member, peer::Peer, running::Running};
use crate::member::Member;

/// How long the previous run may take to show that it is alive, and the leader to judge the new one.
pub(super) const ALIVE: Duration = Duration::from_millis(600);

/// Marks a final refusal: another process has the identity.
const CONFLICT: &str = "polywire-conflict";

/// Why this process is kept out of its cluster, if the status is such a refusal.
pub(super) fn conflict(status: &Status) -> Option<&str> {
    status.metadata().get(CONFLICT).is_some().then(|| status.message())
}

/// Checks whether the announced process may replace the known run of this member, and takes over its addresses if so.
///
/// # Errors
/// A [`conflict`] where it may not; `NotFound` where there is no such member.
pub(super) async fn examine(
    handle: &Handle,
    running: &Running,
    request: &v1::UpdateMemberRequest,
) -> Result<(), Status> {
    let (id, told) = &read_member(request.member.clone())?;
    let (id, lineage) = (*id, &request.lineage);
    // One after the other: of two concurrent claims, the second is checked against the first.
    let _turn = running.examining.lock().await;
    let Some(known) = running.known(id) else {
        return Err(Status::not_found(format!("node {id} is not a member of this cluster")));
    };
    let latest = running.peers.latest(id, &known);
    if id == running.id || latest == *told {
        return Ok(());
    }
    if let Some(problem) = contradiction(running, id, &latest, told, lineage).await {
        let mut status = Status::failed_precondition(problem);
        // The key is well-formed.
        let _ = status.metadata_mut().insert(CONFLICT, "1");
        return Err(noted(handle, id, status));
    }
    let signature = request.member.as_ref().map(|member| member.signature.clone()).unwrap_or_default();
    running.peers.follow(id, &known, told.clone(), signature);
    Ok(())
}

/// Why the announced process cannot be a restart of the known one; `None` where it can.
async fn contradiction(
    running: &Running,
    id: u64,
    known: &Member,
    told: &Member,
    lineage: &[u64],
) -> Option<String> {
    // Versions without incarnations cannot be verified.
    if known.incarnation == told.incarnation || known.incarnation == 0 || told.incarnation == 0 {
        return None;
    }
    let here = told.targets.join(", ");
    if !lineage.is_empty() && !lineage.contains(&known.incarnation) {
        return Some(format!(
            "the node at {here} has the identity of {known} and not its data: it was started from a copy or a backup of \
             them, and is kept out; start it with an empty data directory, as a node of its own"
        ));
    }
    let before = running.peers.learn(id, known);
    (alive(&before).await == Some(known.incarnation)).then(|| {
        format!(
            "{known} is running, and the node at {here} has its identity: it was started from a copy of its data, and is \
             kept out; start it with an empty data directory, as a node of its own"
        )
    })
}

/// The incarnation of the process that answers there now.
async fn alive(peer: &Peer) -> Option<u64> {
    let asking = peer.call(|channel| {
        let asking = ClusterClient::new(channel).status(v1::StatusRequest::default()).timeout(ALIVE);
        async move { asking.await }
    });
    let status = timeout(ALIVE, asking).await.ok()?.ok()?;
    status.this.map(|this| this.incarnation)
}

/// Notes a refusal in the log and in health.
pub(super) fn noted(handle: &Handle, id: u64, status: Status) -> Status {
    if let Some(problem) = conflict(&status) {
        handle.conflicts().note(id, problem);
    }
    status
}
