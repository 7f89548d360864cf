//! A node joins the cluster of another.

use polywire::{Code, Context, Status, Target};
use polywire_proto::cluster::v1;
use tokio::time::Instant;

use super::{
    admission::LEAVING,
    ask::{AUTHORIZATION, Asked, ask, bearer},
    cluster::ClusterClient,
    invitation,
    key::Key,
    lifecycle::{Lifecycle, deadline},
    member_change::gone,
    metrics::{Metrics, is_settled, voters},
    reach::{self, Named},
    running::Running,
    server::fatal,
    statement::keys,
};

/// The way to a member of the cluster that a node joins.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Where members are, and the key that must answer there, where it is known.
    seeds: Vec<(Target, Option<Key>)>,
    /// The invitation.
    token: Option<String>,
}

impl Way {
    /// By this target of a member.
    pub(super) fn to(seed: Target) -> Self {
        Self { seeds: vec![(seed, None)], token: None }
    }

    /// What the request says.
    ///
    /// # Errors
    /// `InvalidArgument` if it is malformed.
    pub(super) fn read(request: &v1::JoinRequest) -> Result<Self, Status> {
        if !request.token.is_empty() {
            let seeds = invitation::seeds(&request.token)?;
            return Ok(Self { seeds, token: Some(request.token.clone()) });
        }
        let seed = request.seed.parse::<Target>();
        let seed = seed.map_err(|error| Status::invalid_argument(format!("invalid seed: {error}")))?;
        Ok(Self::to(seed))
    }
}

/// Joins the cluster that this way leads to. Returns whether this node was not a member before.
///
/// # Cancel safety
/// Safe: a join that has begun goes on.
pub(super) async fn join(lifecycle: &Lifecycle, cx: &Context, way: Way) -> Result<bool, Status> {
    let by = deadline(cx);
    let running = lifecycle.handle.running_by(by).await?;
    running.admitted()?;
    let named = Named::by(cx, running.is_closed());
    // Before the lock is taken: a seed that does not answer must not keep other changes waiting.
    let found = find(&running, &way, named, by).await?;
    drop(running);
    let joining = lifecycle.clone();
    lifecycle.change(async move { enter(&joining, found, way.token, by).await }).await
}

/// The first member that answers.
async fn find(running: &Running, way: &Way, named: Named, by: Instant) -> Result<Asked, Status> {
    let mut outcome = Err(Status::invalid_argument("expected a seed, found none"));
    for (seed, key) in &way.seeds {
        let left = by.saturating_duration_since(Instant::now());
        let asking = async {
            reach::check(seed, named).await.map_err(Status::unavailable)?;
            ask(seed, named, &running.peers, *key, left, way.token.as_deref()).await
        };
        match asking.await {
            Ok(asked) => return Ok(asked),
            Err(status) => outcome = Err(told(seed, named, status)),
        }
    }
    outcome
}

/// The status for the caller. One that is not on this machine does not learn what this node sees of its network.
fn told(seed: &Target, named: Named, status: Status) -> Status {
    let is_of_network = matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal
    );
    if named == Named::Afar && is_of_network {
        tracing::warn!(%seed, %status, "the seed of a join cannot be reached");
        return Status::unavailable("the seed cannot be reached");
    }
    Status::new(status.code(), format!("seed {seed}: {}", status.message()))
}

async fn enter(
    lifecycle: &Lifecycle,
    asked: Asked,
    token: Option<String>,
    by: Instant,
) -> Result<bool, Status> {
    let running = lifecycle.handle.running()?;
    running.admitted()?;
    let Asked { target: seed, channel, close, .. } = asked;
    let at_seed = |status: Status| Status::new(status.code(), format!("seed {seed}: {}", status.message()));
    let client = ClusterClient::new(channel);
    let left = || by.saturating_duration_since(Instant::now());
    // Again: this node may have been added while the change waited for its turn.
    let asking = client.status(v1::StatusRequest::default()).timeout(left());
    let found = match &token {
        Some(token) => asking.metadata(AUTHORIZATION, bearer(token)).await,
        None => asking.await,
    };
    let found = found.map_err(at_seed)?;
    if found.this.as_ref().is_some_and(|this| this.id == running.id) {
        return Err(Status::invalid_argument(format!(
            "invalid seed {seed}: it is this node; expected a member of the cluster"
        )));
    }
    let (own, was_lost) = (running.announced(false), running.store.is_lost());
    let listed = found.members.iter().find(|member| member.id == running.id);
    let at_home = running.store.cluster().is_some_and(|own| *own == *found.cluster_id);
    // A seed that has just started does not know yet whether the cluster has agreed on the members; this node may.
    let votes_here = || votes(&running.metrics(), running.id);
    match listed {
        Some(listed) if at_home && (listed.voter || votes_here()) => return Ok(false),
        Some(listed) if listed.voter => return Err(at_seed(lost(running.id))),
        // An earlier join was not finished.
        Some(_) if at_home => {}
        listed => {
            free_to_join(&running).await?;
            if listed.is_some() {
                // Its data as a learner are gone, so the leader must start over.
                let request = v1::RemoveMemberRequest { id: running.id, cluster_id: String::new() };
                let removing = client.remove_member(request).metadata(LEAVING, "1").timeout(left()).await;
                removing.map(drop).or_else(gone).map_err(at_seed)?;
            }
            prepare(lifecycle, &running, &found.cluster_id).await?;
        }
    }
    drop(running);
    // Until this node has their log, it knows its members by what the seed says.
    lifecycle.handle.trust().join(keys(&found));
    let adding = client.add_member(v1::AddMemberRequest { member: Some(own) }).timeout(left());
    let asked = match token {
        Some(token) => adding.metadata(AUTHORIZATION, bearer(&token)).await,
        None => adding.await,
    };
    if let Err(status) = asked {
        // Back to a cluster of its own, unless the other cluster has admitted this node after all.
        if lifecycle.handle.metrics().is_some_and(|metrics| voters(&metrics).is_empty()) {
            lifecycle.handle.trust().join([]);
            match was_lost {
                true => lifecycle.begin_after_loss().await?,
                false => {
                    lifecycle.begin_anew().await?;
                    lifecycle.form().await?;
                }
            }
        }
        return Err(at_seed(status));
    }
    close.await;
    wait_for_membership(lifecycle, by).await?;
    lifecycle.handle.trust().join([]);
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

/// Whether the cluster has agreed that the node with this id votes.
fn votes(metrics: &Metrics, id: u64) -> bool {
    is_settled(metrics) && voters(metrics).contains(&id)
}

/// Returns once this node knows that it votes.
async fn wait_for_membership(lifecycle: &Lifecycle, by: Instant) -> Result<(), Status> {
    let running = lifecycle.handle.running()?;
    let mut metrics = running.raft.metrics();
    // Until the change is complete, its vote does not count without the majority of before.
    let votes = metrics.wait_for(|metrics| votes(metrics, running.id));
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
