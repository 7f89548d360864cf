//! A node leaves its cluster.

use std::time::Duration;

use polywire::{Code, Context, Status};
use polywire_proto::cluster::v1;
use tokio::time::Instant;

use super::{
    admission::LEAVING,
    cluster::ClusterClient,
    lifecycle::{Lifecycle, deadline},
    member_change::{gone, remove_member},
    running::Running,
};

/// How long a node that leaves waits for one answer.
const ASKING: Duration = Duration::from_secs(2);

/// How long a node that leaves waits for a leader: several elections.
const LEADERLESS: Duration = Duration::from_secs(5);

/// Leaves the cluster. This node then forms a cluster of its own, without data.
///
/// # Cancel safety
/// Safe: a leave that has begun goes on.
pub(super) async fn leave(lifecycle: &Lifecycle, cx: &Context) -> Result<(), Status> {
    let (leaving, by) = (lifecycle.clone(), deadline(cx));
    lifecycle.change(async move { exit(&leaving, by).await }).await
}

async fn exit(lifecycle: &Lifecycle, by: Instant) -> Result<(), Status> {
    let running = lifecycle.handle.running()?;
    // A refused process would remove the member whose identity it has.
    running.admitted()?;
    if running.others().is_empty() {
        return Err(Status::failed_precondition("this node is the only member of its cluster"));
    }
    remove_local_node(lifecycle, &running, by).await?;
    tracing::info!(
        cluster = running.cluster_id(),
        "this node has left its cluster, and is one of its own now"
    );
    drop(running);
    lifecycle.begin_anew().await?;
    lifecycle.form_new().await
}

/// Has the leader remove this node; asks through the other members if this node knows no leader, as after its removal when
/// the leader's answer was lost. Without a leader for a while, there is no majority that could remove it. A member may always
/// remove itself, so most of the others refuse that to no member: to a node that was removed and may ask nothing any more.
async fn remove_local_node(lifecycle: &Lifecycle, running: &Running, by: Instant) -> Result<(), Status> {
    let cluster_id = running.cluster_id();
    let request = || v1::RemoveMemberRequest { id: running.id, cluster_id: cluster_id.clone() };
    let left = || ASKING.min(by.saturating_duration_since(Instant::now()));
    let hopeless = Instant::now() + LEADERLESS;
    loop {
        let asking = Context::new().with_timeout(left());
        let asked = remove_member(&lifecycle.handle, &asking, request()).await.or_else(gone);
        let Err(status) = asked else { return Ok(()) };
        let is_denied = status.code() == Code::PermissionDenied;
        if !is_denied && !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) {
            return Err(status);
        }
        let (others, mut denials) = (running.others(), 0);
        for peer in &others {
            let asking = peer.call(|channel| {
                let asking = ClusterClient::new(channel).remove_member(request());
                let asking = asking.metadata(LEAVING, "1").timeout(left());
                async move { asking.await.map(drop).or_else(gone) }
            });
            match asking.await {
                Ok(()) => return Ok(()),
                Err(status) if status.code() == Code::PermissionDenied => denials += 1,
                Err(_) => {}
            }
        }
        if 2 * denials > others.len() {
            return Ok(());
        }
        if is_denied {
            return Err(status);
        }
        if Instant::now() >= hopeless
            && let Some(why) = running.leaderless()
        {
            return Err(Status::unavailable(format!(
                "nothing was done: {why}, and a node is taken out of a cluster by a majority of its members"
            )));
        }
        if left().is_zero() {
            return Err(status);
        }
    }
}
