//! Forms and changes a cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use openraft::{
    ChangeMembers,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use polywire::{Clipped, Code, Context, Status, Target};
use polywire_proto::cluster::v1;
use tokio::time::Instant;

use super::{
    Handle, Member, Metrics, Running,
    announce::examine,
    forward::{FORWARDED, Refusal, refusal},
    kv::current,
    lifecycle::{Lifecycle, voters},
    peers::Peer,
};
use crate::member::id;

/// Forms and changes a cluster.
#[polywire::service(package = "polywire.cluster.v1")]
pub trait Cluster {
    /// How the cluster is, as the node that is asked knows it.
    #[rpc(idempotent)]
    async fn status(&self, request: v1::StatusRequest) -> Result<v1::StatusResponse, Status>;

    /// Tells a node that is in no cluster to form one of its own. `AlreadyExists` where it is in one: then nothing was
    /// done.
    #[rpc(idempotent)]
    async fn init(&self, request: v1::InitRequest) -> Result<v1::InitResponse, Status>;

    /// Tells a node to join the cluster of another. It must hold no data of its own.
    #[rpc(timeout = "30s")]
    async fn join(&self, cx: &Context, request: v1::JoinRequest) -> Result<v1::JoinResponse, Status>;

    /// Tells a node to leave its cluster. It is one of its own then, without data.
    #[rpc(timeout = "30s")]
    async fn leave(&self, cx: &Context, request: v1::LeaveRequest) -> Result<v1::LeaveResponse, Status>;

    /// Makes a node a member; whichever member is asked tells the leader.
    #[rpc(idempotent)]
    async fn add_member(
        &self,
        cx: &Context,
        request: v1::AddMemberRequest,
    ) -> Result<v1::AddMemberResponse, Status>;

    /// Tells where a member is reached now; whichever member is asked tells the leader. `NotFound` where there is no
    /// such member.
    #[rpc(idempotent)]
    async fn update_member(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status>;

    /// Takes a member out of the cluster; whichever member is asked tells the leader. `NotFound` where there is no such
    /// member.
    #[rpc(idempotent)]
    async fn remove_member(
        &self,
        cx: &Context,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status>;
}

/// How long a node that joins may take to be reached, and to get what the others have.
const CATCH_UP: Duration = Duration::from_secs(15);

/// How long a change of members may take that has no deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a node that leaves waits for one answer.
const ASKING: Duration = Duration::from_secs(2);

/// How long the leader may be without a majority before it refuses to change who is a member.
const CONFIRMED: Duration = Duration::from_secs(1);

/// How long it waits before it asks them again.
const ASKING_AGAIN: Duration = Duration::from_millis(50);

/// How long a node that leaves waits for a leader: several elections.
const LEADERLESS: Duration = Duration::from_secs(5);

/// This node's part in forming a cluster.
#[derive(Clone, Debug)]
pub struct ClusterNode(Lifecycle);

impl ClusterNode {
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self(lifecycle)
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// Joins the cluster of the node that answers at this target, and says whether this node had not been a member
    /// before.
    ///
    /// # Cancel safety
    /// A join that has begun goes on.
    pub(super) async fn join_at(&self, cx: &Context, seed: &Target) -> Result<bool, Status> {
        let (node, seed, by) = (self.clone(), seed.clone(), end(cx));
        self.0.change(async move { node.enter(&seed, by).await }).await
    }

    async fn enter(&self, seed: &Target, by: Instant) -> Result<bool, Status> {
        let running = self.handle().running()?;
        running.admitted()?;
        let at_seed = |status: Status| {
            Status::new(status.code(), format!("the seed {seed} says: {}", status.message()))
        };
        let opened = seed.open(running.peers.options()).await.map_err(at_seed)?;
        let client = ClusterClient::new(opened.channel);
        let left = || by.saturating_duration_since(Instant::now());
        let found = client.status(v1::StatusRequest {}).timeout(left()).await.map_err(at_seed)?;
        let own = v1::Member { id: running.id, ..member(running.id, &running.member(), false) };
        if found.this.as_ref().is_some_and(|this| this.id == running.id) {
            return Err(Status::invalid_argument(format!("the seed {seed} is this node; expected another")));
        }
        let listed = found.members.iter().find(|member| member.id == running.id);
        let at_home = running.store.cluster().is_some_and(|own| *own == *found.cluster_id);
        match listed {
            Some(listed) if listed.voter && at_home => return Ok(false),
            Some(listed) if listed.voter => return Err(at_seed(lost(running.id))),
            // The join before this one was not finished.
            Some(_) if at_home => {}
            listed => {
                free_to_join(&running).await?;
                if listed.is_some() {
                    // What it had as a learner is gone, which the leader must not go on from.
                    let request = v1::RemoveMemberRequest { id: running.id, cluster_id: String::new() };
                    let removing = client.remove_member(request).timeout(left()).await;
                    removing.map(drop).or_else(gone).map_err(at_seed)?;
                }
                self.prepare(&running, &found.cluster_id).await?;
            }
        }
        drop(running);
        let asked = client.add_member(v1::AddMemberRequest { member: Some(own) }).timeout(left()).await;
        if let Err(status) = asked {
            // Back to where it was, unless the cluster has taken it in after all.
            if self.handle().metrics().is_some_and(|metrics| voters(&metrics).is_empty()) {
                self.0.begin_anew().await?;
                self.0.form().await?;
            }
            return Err(at_seed(status));
        }
        opened.close.await;
        self.wait_for_membership(by).await?;
        Ok(true)
    }

    /// Forms a cluster of this node alone, which must be in none.
    async fn form(&self) -> Result<(), Status> {
        let metrics = self.handle().running()?.metrics();
        match voters(&metrics).len() {
            0 => self.0.form().await,
            1 => Err(Status::already_exists("this node is a cluster of its own already; nothing was done")),
            members => Err(Status::already_exists(format!(
                "this node is in a cluster of {members} already; nothing was done"
            ))),
        }
    }

    /// Gives up what this node has, and lets the members of that cluster talk to it.
    async fn prepare(&self, running: &Running, cluster_id: &str) -> Result<(), Status> {
        let initialized = running.raft.is_initialized().await.map_err(super::server::fatal)?;
        if initialized || running.store.cluster().is_some() {
            self.0.begin_anew().await?;
        }
        let joined = self.handle().running()?.store.join_cluster(cluster_id).await;
        joined.map_err(|error| Status::internal(error.to_string()))
    }

    async fn exit(&self, by: Instant) -> Result<(), Status> {
        let running = self.handle().running()?;
        // It would take the member out whose identity it has.
        running.admitted()?;
        if others(&running).is_empty() {
            return Err(Status::failed_precondition("this node is the only member of its cluster"));
        }
        self.remove_itself(&running, by).await?;
        tracing::info!(
            cluster = running.cluster_id(),
            "this node has left its cluster, and is one of its own now"
        );
        drop(running);
        self.0.begin_anew().await?;
        self.0.form().await
    }

    /// Has this node taken out of the cluster: by the leader, and where this node hears of none by way of the others.
    /// It hears of none once it is out, should the leader's answer have been lost. Where there is no leader for a while,
    /// there is no majority that could take it out.
    async fn remove_itself(&self, running: &Running, by: Instant) -> Result<(), Status> {
        let cluster_id = running.cluster_id();
        let request = || v1::RemoveMemberRequest { id: running.id, cluster_id: cluster_id.clone() };
        let left = || ASKING.min(by.saturating_duration_since(Instant::now()));
        let hopeless = Instant::now() + LEADERLESS;
        loop {
            let asking = Context::new().with_timeout(left());
            let asked = self.remove_member(&asking, request()).await.map(drop).or_else(gone);
            let Err(status) = asked else { return Ok(()) };
            if !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) {
                return Err(status);
            }
            for peer in others(running) {
                let asking = peer.call(|channel| {
                    let asking = ClusterClient::new(channel).remove_member(request()).timeout(left());
                    async move { asking.await.map(drop).or_else(gone) }
                });
                if asking.await.is_ok() {
                    return Ok(());
                }
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

    /// Returns once this node knows that it votes.
    async fn wait_for_membership(&self, by: Instant) -> Result<(), Status> {
        let running = self.handle().running()?;
        let mut metrics = running.raft.metrics();
        let votes = metrics.wait_for(|metrics| voters(metrics).contains(&running.id));
        let late = || {
            Status::deadline_exceeded("this node is a member now, and has not heard of it from the leader")
        };
        match tokio::time::timeout_at(by, votes).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }

    /// Makes a change at the leader, and counts how often that was tried.
    async fn change<F, O>(
        &self,
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
                        client
                            .update_member(request)
                            .context(cx)
                            .timeout(left)
                            .metadata(FORWARDED, "1")
                            .await?;
                    }
                    ForwardChange::Remove(request) => {
                        client
                            .remove_member(request)
                            .context(cx)
                            .timeout(left)
                            .metadata(FORWARDED, "1")
                            .await?;
                    }
                }
                Ok(())
            }
        };
        self.handle().at_leader(cx, true, here, there).await
    }

    /// This node is alone, and leads.
    pub(super) async fn tell_itself(&self, request: v1::UpdateMemberRequest) -> Result<(), Status> {
        self.update_member(&Context::new().with_timeout(PATIENCE), request).await?;
        Ok(())
    }
}

/// The request of a change, for whoever leads.
#[derive(Clone)]
enum ForwardChange {
    Add(v1::AddMemberRequest),
    Update(v1::UpdateMemberRequest),
    Remove(v1::RemoveMemberRequest),
}

impl Cluster for ClusterNode {
    async fn status(&self, _: v1::StatusRequest) -> Result<v1::StatusResponse, Status> {
        let running = self.handle().running()?;
        let metrics = running.metrics();
        let voters = voters(&metrics);
        let nodes = metrics.membership_config.membership().nodes();
        let mut members: BTreeMap<_, _> =
            nodes.map(|(id, node)| (*id, member(*id, node, voters.contains(id)))).collect();
        for (id, problem) in self.handle().conflicts().lately() {
            if let Some(member) = members.get_mut(&id) {
                member.conflict = problem;
            }
        }
        let conflict = running.store.refused().map(|problem| problem.to_string()).unwrap_or_default();
        let this = member(running.id, &running.member(), voters.contains(&running.id));
        Ok(v1::StatusResponse {
            this: Some(v1::Member { conflict, ..this }),
            initialized: !voters.is_empty(),
            cluster_id: running.cluster_id(),
            leader_id: metrics.current_leader,
            term: metrics.current_term,
            members: members.into_values().collect(),
            removed: running.is_removed(),
            last_log_index: metrics.last_log_index.unwrap_or_default(),
            applied_index: metrics.last_applied.map(|id| id.index).unwrap_or_default(),
        })
    }

    async fn init(&self, _: v1::InitRequest) -> Result<v1::InitResponse, Status> {
        let node = self.clone();
        self.0.change(async move { node.form().await }).await?;
        Ok(v1::InitResponse {})
    }

    async fn join(&self, cx: &Context, request: v1::JoinRequest) -> Result<v1::JoinResponse, Status> {
        let seed = request.seed.parse::<Target>();
        let seed = seed.map_err(|error| Status::invalid_argument(format!("the seed: {error}")))?;
        let joined = self.join_at(cx, &seed).await?;
        Ok(v1::JoinResponse { already_member: !joined })
    }

    async fn leave(&self, cx: &Context, _: v1::LeaveRequest) -> Result<v1::LeaveResponse, Status> {
        let (node, by) = (self.clone(), end(cx));
        self.0.change(async move { node.exit(by).await }).await?;
        Ok(v1::LeaveResponse {})
    }

    async fn add_member(
        &self,
        cx: &Context,
        request: v1::AddMemberRequest,
    ) -> Result<v1::AddMemberResponse, Status> {
        let (id, node) = read_member(request.member.clone())?;
        let here = |running| add(running, id, node.clone());
        self.change(cx, here, ForwardChange::Add(request), &AtomicU32::new(0)).await?;
        Ok(v1::AddMemberResponse {})
    }

    async fn update_member(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status> {
        if request.hint {
            return self.heard(cx, request).await;
        }
        let (id, node) = read_member(request.member.clone())?;
        let (handle, lineage) = (self.handle(), request.lineage.clone());
        let here = |running: Arc<Running>| {
            let (node, lineage) = (node.clone(), lineage.clone());
            async move {
                examine(handle, &running, id, &node, &lineage).await.map_err(Refusal::Status)?;
                update(running, id, node).await
            }
        };
        self.change(cx, here, ForwardChange::Update(request), &AtomicU32::new(0)).await?;
        Ok(v1::UpdateMemberResponse::default())
    }

    async fn remove_member(
        &self,
        cx: &Context,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status> {
        // A member may have left for another cluster since the caller heard of it.
        let own = self.handle().running()?.cluster_id();
        if !own.is_empty() && !request.cluster_id.is_empty() && own != request.cluster_id {
            let problem = format!("this member is in the cluster {own}, not in {}", request.cluster_id);
            return Err(Status::failed_precondition(problem));
        }
        let id = request.id;
        let attempts = AtomicU32::new(0);
        let here = |running| remove(running, id);
        let removed = self.change(cx, here, ForwardChange::Remove(request), &attempts).await;
        match removed {
            // An attempt before the last may have done it.
            Err(status) if status.code() == Code::NotFound && attempts.load(Ordering::Relaxed) > 1 => {}
            removed => removed?,
        }
        Ok(v1::RemoveMemberResponse {})
    }
}

/// When a change must be through.
fn end(cx: &Context) -> Instant {
    cx.deadline().unwrap_or_else(|| Instant::now() + PATIENCE)
}

/// The ways to the other members.
pub(super) fn others(running: &Running) -> Vec<Arc<Peer>> {
    let metrics = running.metrics();
    let nodes = metrics.membership_config.membership().nodes().filter(|(id, _)| **id != running.id);
    nodes.map(|(id, node)| running.peers.learn(*id, node)).collect()
}

/// A member that votes, and has lost its vote and what it has acknowledged, must not be taken for what it was.
fn lost(id: u64) -> Status {
    Status::failed_precondition(format!(
        "node {id} is a voter of this cluster, and has lost what it had: remove it \
         (polywire.cluster.v1.Cluster/RemoveMember), and let it join again"
    ))
}

/// A node that joins another cluster loses what it has.
async fn free_to_join(running: &Running) -> Result<(), Status> {
    let metrics = running.metrics();
    let members = metrics.membership_config.membership().nodes().count();
    if members > 1 {
        let problem = format!("this node is in a cluster of {members}; let it leave that first");
        return Err(Status::failed_precondition(problem));
    }
    let revision = running.reader.revision().await.map_err(|error| Status::internal(error.to_string()))?;
    if revision > 0 {
        return Err(Status::failed_precondition(format!(
            "this node holds data of its own ({revision} writes), which joining another cluster would lose"
        )));
    }
    Ok(())
}

async fn add(running: Arc<Running>, id: u64, node: Member) -> Result<(), Refusal> {
    confirmed(&running).await?;
    let metrics = running.metrics();
    if metrics.membership_config.membership().get_node(&id).is_none() {
        changed(&running, ChangeMembers::AddNodes(BTreeMap::from([(id, node.clone())]))).await?;
    } else {
        update(running.clone(), id, node.clone()).await?;
    }
    if voters(&metrics).contains(&id) {
        return Ok(());
    }
    if tokio::time::timeout(CATCH_UP, caught_up(&running, id)).await.is_err() {
        let removed = changed(&running, ChangeMembers::RemoveNodes(BTreeSet::from([id]))).await;
        if removed.is_err() {
            tracing::warn!(id, "a node that could not be reached stays a learner");
        }
        let problem = format!("the leader cannot reach {node}, which is to join");
        return Err(Refusal::Status(Status::failed_precondition(problem)));
    }
    changed(&running, ChangeMembers::AddVoterIds(BTreeSet::from([id]))).await
}

/// Returns once the learner has about what the leader has.
async fn caught_up(running: &Running, id: u64) {
    let close = |metrics: &Metrics| {
        let matched = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied().flatten());
        let last = metrics.last_log_index.unwrap_or_default();
        matched.is_some_and(|matched| last.saturating_sub(matched.index) <= BEHIND)
    };
    // An error means that Raft ends, which the next step says.
    let _ = running.raft.metrics().wait_for(close).await;
}

/// How many entries a learner may be behind when it becomes a voter.
const BEHIND: u64 = 64;

async fn update(running: Arc<Running>, id: u64, node: Member) -> Result<(), Refusal> {
    let known = running.raft.metrics().borrow().membership_config.membership().get_node(&id).cloned();
    match known {
        None => Err(Refusal::Status(no_member(id))),
        Some(known) if known == node => Ok(()),
        Some(known) => {
            running.peers.follow(id, &known, node.clone());
            changed(&running, ChangeMembers::SetNodes(BTreeMap::from([(id, node)]))).await
        }
    }
}

fn no_member(id: u64) -> Status {
    Status::not_found(format!("node {id} is no member of this cluster"))
}

/// A node that was to be taken out, and is no member, is out.
fn gone(status: Status) -> Result<(), Status> {
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

/// Waits until a majority confirms that this node leads. A change that is begun without one stays in the log, and would
/// go through once the others are back. Where members are reached now must be noted all the same: without that there may
/// be no majority.
async fn confirmed(running: &Running) -> Result<(), Refusal> {
    let by = Instant::now() + CONFIRMED;
    loop {
        match current(running).await {
            Err(Refusal::Status(status)) if status.code() == Code::Unavailable => {
                if Instant::now() >= by {
                    let problem = format!("nothing was done: {}", status.message());
                    return Err(Refusal::Status(Status::unavailable(problem).not_processed()));
                }
            }
            outcome => return outcome,
        }
        tokio::time::sleep(ASKING_AGAIN).await;
    }
}

/// Makes the change once the one before it is through.
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

pub(super) fn member(id: u64, member: &Member, voter: bool) -> v1::Member {
    v1::Member {
        id,
        name: member.name.clone(),
        endpoint_id: member.endpoint_id.clone(),
        targets: member.targets.clone(),
        voter,
        incarnation: member.incarnation,
        conflict: String::new(),
    }
}

/// How long a name or a target may be, and how many targets a member may have.
const LONGEST: usize = 4 << 10;
const TARGETS: usize = 32;

pub(super) fn read_member(member: Option<v1::Member>) -> Result<(u64, Member), Status> {
    let wrong = |problem: String| Err(Status::invalid_argument(format!("the member: {problem}")));
    let Some(member) = member else { return wrong("expected one, found none".to_owned()) };
    if id(&member.endpoint_id) != Some(member.id) {
        return wrong(format!(
            "its id {} is not that of the key {:?}",
            member.id,
            Clipped(&member.endpoint_id)
        ));
    }
    let texts = || member.targets.iter().chain([&member.name, &member.endpoint_id]);
    if member.targets.len() > TARGETS || texts().any(|text| text.len() > LONGEST) {
        return wrong(format!("expected at most {TARGETS} targets, and texts of at most {LONGEST} bytes"));
    }
    if member.targets.is_empty() {
        return wrong("expected a target at least, found none".to_owned());
    }
    let node = Member {
        name: member.name,
        endpoint_id: member.endpoint_id,
        targets: member.targets,
        incarnation: member.incarnation,
    };
    Ok((member.id, node))
}
