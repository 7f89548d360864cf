//! Changes of the members and of their addresses, made at the leader. Any member forwards them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use openraft::{
    ChangeMembers,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use polywire::{Code, Context, Status};
use polywire_proto::cluster::v1;

use super::{
    cluster::ClusterClient,
    examine::examine,
    forward::{FORWARDED, Refusal, current, refusal},
    handle::Handle,
    member_wire::read_member,
    metrics::{Metrics, is_settled, voters},
    running::Running,
};
use crate::member::Member;

/// How long a joining node may take to be reached and to catch up.
const CATCH_UP: Duration = Duration::from_secs(15);

/// Makes a node a member, once `admit` has let it in at the leader.
pub(super) async fn add_member<A, O>(
    handle: &Handle,
    cx: &Context,
    request: v1::AddMemberRequest,
    admit: A,
) -> Result<(), Status>
where
    A: Fn(Arc<Running>) -> O,
    O: Future<Output = Result<(), Refusal>>,
{
    let (id, node) = read_member(request.member.clone())?;
    let signature = request.member.as_ref().map(|member| member.signature.clone()).unwrap_or_default();
    let here = |running: Arc<Running>| {
        let admitted = admit(running.clone());
        let (node, signature) = (node.clone(), signature.clone());
        async move {
            admitted.await?;
            add(running, id, node, signature).await
        }
    };
    change(handle, cx, here, ForwardChange::Add(request), &AtomicU32::new(0)).await
}

/// Updates the addresses of a member, after its process has been examined.
pub(super) async fn update_member(
    handle: &Handle,
    cx: &Context,
    request: v1::UpdateMemberRequest,
) -> Result<(), Status> {
    let (id, node) = read_member(request.member.clone())?;
    let told = request.clone();
    let here = |running: Arc<Running>| {
        let (node, told) = (node.clone(), told.clone());
        async move {
            examine(handle, &running, &told).await.map_err(Refusal::Status)?;
            update(running, id, node, told.member.map(|member| member.signature).unwrap_or_default()).await
        }
    };
    change(handle, cx, here, ForwardChange::Update(request), &AtomicU32::new(0)).await
}

/// Removes a member.
pub(super) async fn remove_member(
    handle: &Handle,
    cx: &Context,
    request: v1::RemoveMemberRequest,
) -> Result<(), Status> {
    // A member may have left for another cluster since the caller heard of it.
    let own = handle.running()?.cluster_id();
    if !own.is_empty() && !request.cluster_id.is_empty() && own != request.cluster_id {
        let problem =
            format!("cluster id mismatch: this member is in {own}; expected {}", request.cluster_id);
        return Err(Status::failed_precondition(problem));
    }
    let id = request.id;
    let attempts = AtomicU32::new(0);
    let here = |running| remove(running, id);
    match change(handle, cx, here, ForwardChange::Remove(request), &attempts).await {
        // An earlier attempt may have removed it.
        Err(status) if status.code() == Code::NotFound && attempts.load(Ordering::Relaxed) > 1 => Ok(()),
        removed => removed,
    }
}

/// The request of a change, to be forwarded to the leader.
#[derive(Clone)]
enum ForwardChange {
    Add(v1::AddMemberRequest),
    Update(v1::UpdateMemberRequest),
    Remove(v1::RemoveMemberRequest),
}

/// Makes a change at the leader, and counts the attempts.
async fn change<F, O>(
    handle: &Handle,
    cx: &Context,
    here: F,
    there: ForwardChange,
    attempts: &AtomicU32,
) -> Result<(), Status>
where
    F: Fn(Arc<Running>) -> O,
    O: Future<Output = Result<(), Refusal>>,
{
    let here = |running| {
        attempts.fetch_add(1, Ordering::Relaxed);
        here(running)
    };
    let there = |channel, left| {
        attempts.fetch_add(1, Ordering::Relaxed);
        let (client, there) = (ClusterClient::new(channel), there.clone());
        async move {
            match there {
                ForwardChange::Add(request) => {
                    client.add_member(request).context(cx).timeout(left).metadata(FORWARDED, "1").await?;
                }
                ForwardChange::Update(request) => {
                    client.update_member(request).context(cx).timeout(left).metadata(FORWARDED, "1").await?;
                }
                ForwardChange::Remove(request) => {
                    client.remove_member(request).context(cx).timeout(left).metadata(FORWARDED, "1").await?;
                }
            }
            Ok(())
        }
    };
    handle.at_leader(cx, true, here, there).await
}

async fn add(running: Arc<Running>, id: u64, node: Member, signature: Bytes) -> Result<(), Refusal> {
    confirmed(&running).await?;
    let metrics = running.metrics();
    if metrics.membership_config.membership().get_node(&id).is_none() {
        changed(&running, ChangeMembers::AddNodes(BTreeMap::from([(id, node.clone())]))).await?;
    } else {
        update(running.clone(), id, node.clone(), signature).await?;
    }
    if is_settled(&metrics) && voters(&metrics).contains(&id) {
        return Ok(());
    }
    if tokio::time::timeout(CATCH_UP, caught_up(&running, id)).await.is_err() {
        let removed = changed(&running, ChangeMembers::RemoveNodes(BTreeSet::from([id]))).await;
        if removed.is_err() {
            tracing::warn!(id, "an unreachable node stays a learner");
        }
        tracing::warn!(%node, "a joining node does not catch up");
        return Err(Refusal::Status(Status::failed_precondition(
            "the joining node is unreachable from the leader, or does not catch up with it",
        )));
    }
    changed(&running, ChangeMembers::AddVoterIds(BTreeSet::from([id]))).await
}

/// Returns once the learner has nearly caught up with the leader.
async fn caught_up(running: &Running, id: u64) {
    let close = |metrics: &Metrics| {
        let matched = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied().flatten());
        let last = metrics.last_log_index.unwrap_or_default();
        matched.is_some_and(|matched| last.saturating_sub(matched.index) <= BEHIND)
    };
    // An error means that Raft ends; the next step reports it.
    let _ = running.raft.metrics().wait_for(close).await;
}

/// How many entries a learner may be behind when it becomes a voter.
const BEHIND: u64 = 64;

async fn update(running: Arc<Running>, id: u64, node: Member, signature: Bytes) -> Result<(), Refusal> {
    let known = running.raft.metrics().borrow().membership_config.membership().get_node(&id).cloned();
    match known {
        None => Err(Refusal::Status(no_member(id))),
        Some(known) if known == node => Ok(()),
        Some(known) => {
            running.peers.follow(id, &known, node.clone(), signature);
            changed(&running, ChangeMembers::SetNodes(BTreeMap::from([(id, node)]))).await
        }
    }
}

fn no_member(id: u64) -> Status {
    Status::not_found(format!("node {id} is not a member of this cluster"))
}

/// A node that is not a member any more counts as removed.
pub(super) fn gone(status: Status) -> Result<(), Status> {
    match status.code() {
        Code::NotFound => Ok(()),
        _ => Err(status),
    }
}

async fn remove(running: Arc<Running>, id: u64) -> Result<(), Refusal> {
    let metrics = running.metrics();
    if metrics.membership_config.membership().get_node(&id).is_none() {
        return Err(Refusal::Status(no_member(id)));
    }
    confirmed(&running).await?;
    let ids = BTreeSet::from([id]);
    let change = match voters(&metrics).contains(&id) {
        true => ChangeMembers::RemoveVoters(ids),
        false => ChangeMembers::RemoveNodes(ids),
    };
    changed(&running, change).await
}

/// Waits until a majority confirms that this node leads. A change that begins without a majority stays in the log and
/// takes effect once the others are back. Updates of addresses skip this: without them there may be no majority.
async fn confirmed(running: &Running) -> Result<(), Refusal> {
    current(running).await.map_err(|refusal| match refusal {
        Refusal::Status(status) if status.code() == Code::Unavailable => {
            let problem = format!("nothing was done: {}", status.message());
            Refusal::Status(Status::unavailable(problem).not_processed())
        }
        refusal => refusal,
    })
}

/// Makes the change after pending changes are complete.
async fn changed(running: &Running, change: ChangeMembers<u64, Member>) -> Result<(), Refusal> {
    loop {
        let mut metrics = running.raft.metrics();
        metrics.mark_unchanged();
        match running.raft.change_membership(change.clone(), false).await {
            Ok(_) => return Ok(()),
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            ))) => {
                let _ = tokio::time::timeout(Duration::from_millis(100), metrics.changed()).await;
            }
            Err(error) => return Err(refusal(error)),
        }
    }
}
