//! A node joins the cluster of another.

use polywire::{Context, Status, Target};
use polywire_proto::cluster::v1;
use tokio::time::Instant;

use super::{
    cluster::ClusterClient,
    lifecycle::{Lifecycle, deadline},
    member_change::gone,
    member_wire::member,
    metrics::voters,
    running::Running,
    server::fatal,
};

/// Joins the cluster of the node at this target. Returns whether this node was not a member before.
///
/// # Cancel safety
/// Safe: a join that has begun goes on.
pub(super) async fn join(lifecycle: &Lifecycle, cx: &Context, seed: &Target) -> Result<bool, Status> {
    let (joining, seed, by) = (lifecycle.clone(), seed.clone(), deadline(cx));
    lifecycle.change(async move { enter(&joining, &seed, by).await }).await
}

async fn enter(lifecycle: &Lifecycle, seed: &Target, by: Instant) -> Result<bool, Status> {
    let running = lifecycle.handle.running()?;
    running.admitted()?;
    let at_seed = |status: Status| Status::new(status.code(), format!("seed {seed}: {}", status.message()));
    let opened = seed.open(running.peers.options()).await.map_err(at_seed)?;
    let client = ClusterClient::new(opened.channel);
    let left = || by.saturating_duration_since(Instant::now());
    let found = client.status(v1::StatusRequest {}).timeout(left()).await.map_err(at_seed)?;
    let own = v1::Member { id: running.id, ..member(running.id, &running.member(), false) };
    if found.this.as_ref().is_some_and(|this| this.id == running.id) {
        return Err(Status::invalid_argument(format!(
            "invalid seed {seed}: it is this node; expected a member of the cluster"
        )));
    }
    let listed = found.members.iter().find(|member| member.id == running.id);
    let at_home = running.store.cluster().is_some_and(|own| *own == *found.cluster_id);
    match listed {
        Some(listed) if listed.voter && at_home => return Ok(false),
        Some(listed) if listed.voter => return Err(at_seed(lost(running.id))),
        // An earlier join was not finished.
        Some(_) if at_home => {}
        listed => {
            free_to_join(&running).await?;
            if listed.is_some() {
                // Its data as a learner are gone, so the leader must start over.
                let request = v1::RemoveMemberRequest { id: running.id, cluster_id: String::new() };
                let removing = client.remove_member(request).timeout(left()).await;
                removing.map(drop).or_else(gone).map_err(at_seed)?;
            }
            prepare(lifecycle, &running, &found.cluster_id).await?;
        }
    }
    drop(running);
    let asked = client.add_member(v1::AddMemberRequest { member: Some(own) }).timeout(left()).await;
    if let Err(status) = asked {
        // Back to a cluster of its own, unless the other cluster has admitted this node after all.
        if lifecycle.handle.metrics().is_some_and(|metrics| voters(&metrics).is_empty()) {
            lifecycle.begin_anew().await?;
            lifecycle.form().await?;
        }
        return Err(at_seed(status));
    }
    opened.close.await;
    wait_for_membership(lifecycle, by).await?;
    Ok(true)
}

/// Drops this node's data, and accepts the members of that cluster.
async fn prepare(lifecycle: &Lifecycle, running: &Running, cluster_id: &str) -> Result<(), Status> {
    let initialized = running.raft.is_initialized().await.map_err(fatal)?;
    if initialized || running.store.cluster().is_some() {
        lifecycle.begin_anew().await?;
    }
    let joined = lifecycle.handle.running()?.store.join_cluster(cluster_id).await;
    joined.map_err(|error| Status::internal(error.to_string()))
}

/// Returns once this node knows that it votes.
async fn wait_for_membership(lifecycle: &Lifecycle, by: Instant) -> Result<(), Status> {
    let running = lifecycle.handle.running()?;
    let mut metrics = running.raft.metrics();
    let votes = metrics.wait_for(|metrics| voters(metrics).contains(&running.id));
    let late = || {
        Status::deadline_exceeded(
            "this node is a member now, but no message from the leader has confirmed it in time",
        )
    };
    match tokio::time::timeout_at(by, votes).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

/// A voter that has lost its vote and its acknowledged entries must not rejoin as the same voter.
fn lost(id: u64) -> Status {
    Status::failed_precondition(format!(
        "node {id} is a voter of this cluster, and has lost its data: remove it \
         (polywire.cluster.v1.Cluster/RemoveMember), and let it join again"
    ))
}

/// Refuses a join that would lose data or leave another cluster.
async fn free_to_join(running: &Running) -> Result<(), Status> {
    let metrics = running.metrics();
    let members = metrics.membership_config.membership().nodes().count();
    if members > 1 {
        let problem = format!("this node is in a cluster of {members} members; leave that cluster first");
        return Err(Status::failed_precondition(problem));
    }
    let revision = running.reader.revision().await.map_err(|error| Status::internal(error.to_string()))?;
    if revision > 0 {
        return Err(Status::failed_precondition(format!(
            "this node holds data ({revision} writes) that joining another cluster would discard"
        )));
    }
    Ok(())
}
