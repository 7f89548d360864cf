//! The service that the members of a cluster call each other by.

use std::sync::atomic::Ordering;

use openraft::{
    error::Fatal,
    raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest},
};
use polywire::{Code, Context, Status, Streaming};
use polywire_proto::raft::v1::{self, append_entries_response::Outcome};
use sha2::{Digest as _, Sha256};

use super::{
    checked::Standing, handle::Handle, key::shown, proof::proven, running::Running, store::StoreError, wire,
};
use crate::member::id;

/// How the members of a cluster talk to each other. Source: Ongaro and Ousterhout,
/// [In Search of an Understandable Consensus Algorithm](https://raft.github.io/raft.pdf).
#[polywire::service(package = "polywire.raft.v1", access = "member")]
pub trait Raft {
    /// Takes entries of the log from the leader.
    #[rpc(idempotent)]
    async fn append_entries(
        &self,
        cx: &Context,
        request: v1::AppendEntriesRequest,
    ) -> Result<v1::AppendEntriesResponse, Status>;

    /// Votes for a candidate or refuses to.
    #[rpc(idempotent)]
    async fn vote(&self, cx: &Context, request: v1::VoteRequest) -> Result<v1::VoteResponse, Status>;

    /// Takes a snapshot from the leader, in place of entries that it no longer has.
    async fn install_snapshot(
        &self,
        cx: &Context,
        requests: Streaming<v1::InstallSnapshotRequest>,
    ) -> Result<v1::InstallSnapshotResponse, Status>;
}

/// This node's end of Raft.
#[derive(Clone, Debug)]
pub struct RaftNode(Handle);

impl RaftNode {
    /// Answers for the Raft that this handle leads to.
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// What other members say of the caller.
    fn standing(&self, cx: &Context) -> Standing {
        match proven(cx).is_some_and(|key| self.0.is_new_voter(&key)) {
            true => Standing::Voter,
            false => Standing::Unknown,
        }
    }

    /// Has the other members asked who votes, where this node does not know: its log may be behind.
    fn doubt(&self, status: Status) -> Status {
        if status.code() == Code::PermissionDenied {
            self.0.trust().unknown.notify_one();
        }
        status
    }
}

impl Raft for RaftNode {
    async fn append_entries(
        &self,
        cx: &Context,
        request: v1::AppendEntriesRequest,
    ) -> Result<v1::AppendEntriesResponse, Status> {
        let running = self.0.running()?;
        meant_for(&running, request.to, &request.cluster_id)?;
        let quorum_age_ms = request.quorum_age_ms;
        let entries = request.entries.iter().map(|entry| wire::unpack(entry)).collect::<Result<_, _>>()?;
        let request = AppendEntriesRequest {
            vote: own_vote(cx, request.vote)?,
            prev_log_id: request.prev_log_id.map(wire::read_log_id),
            entries,
            leader_commit: request.leader_commit.map(wire::read_log_id),
        };
        let (vote, leader_commit) = (request.vote, request.leader_commit.map_or(0, |id| id.index));
        let answer = running.checked.append_entries(request, self.standing(cx)).await;
        let answer = answer.map_err(|status| self.doubt(status))?;
        if !matches!(answer, AppendEntriesResponse::HigherVote(_)) {
            running.leader_commit.fetch_max(leader_commit, Ordering::Relaxed);
            running.quorum.heard(&vote, quorum_age_ms);
            running.removed.store(false, Ordering::Relaxed);
        }
        let none = v1::AppendEntriesResponse::default();
        Ok(match answer {
            AppendEntriesResponse::Success => none,
            AppendEntriesResponse::PartialSuccess(matching) => v1::AppendEntriesResponse {
                outcome: Outcome::PartialSuccess.into(),
                matching: matching.map(wire::log_id),
                ..none
            },
            AppendEntriesResponse::Conflict => {
                v1::AppendEntriesResponse { outcome: Outcome::Conflict.into(), ..none }
            }
            AppendEntriesResponse::HigherVote(vote) => v1::AppendEntriesResponse {
                outcome: Outcome::HigherVote.into(),
                vote: Some(wire::vote(vote)),
                ..none
            },
        })
    }

    async fn vote(&self, cx: &Context, request: v1::VoteRequest) -> Result<v1::VoteResponse, Status> {
        let running = self.0.running()?;
        meant_for(&running, request.to, &request.cluster_id)?;
        let request = VoteRequest {
            vote: own_vote(cx, request.vote)?,
            last_log_id: request.last_log_id.map(wire::read_log_id),
        };
        let answer = running.checked.vote(request, self.standing(cx)).await;
        let answer = answer.map_err(|status| self.doubt(status))?;
        Ok(v1::VoteResponse {
            vote: Some(wire::vote(answer.vote)),
            granted: answer.vote_granted,
            last_log_id: answer.last_log_id.map(wire::log_id),
        })
    }

    async fn install_snapshot(
        &self,
        cx: &Context,
        mut requests: Streaming<v1::InstallSnapshotRequest>,
    ) -> Result<v1::InstallSnapshotResponse, Status> {
        let running = self.0.running()?;
        let none = || Status::invalid_argument("missing snapshot head in the first message");
        let first = requests.message().await?.ok_or_else(none)?;
        let head = first.head.ok_or_else(none)?;
        meant_for(&running, head.to, &head.cluster_id)?;
        let (vote, meta, standing) = (own_vote(cx, head.vote)?, wire::unpack(&head.meta)?, self.standing(cx));
        let offer = running.checked.offer(&vote, &meta, standing).await;
        let _alone = offer.map_err(|status| self.doubt(status))?;
        running.store.has_room(head.size)?;
        let mut receipt = running.store.receive().await.map_err(refused)?;
        let (mut data, mut size, mut hash) = (first.data, 0, Sha256::new());
        loop {
            size += data.len() as u64;
            hash.update(&data);
            if size > head.size {
                return Err(Status::invalid_argument("the snapshot is longer than announced"));
            }
            receipt.write(&data).await.map_err(|error| failed_with(&error))?;
            let Some(next) = requests.message().await? else { break };
            data = next.data;
        }
        if size < head.size {
            return Err(Status::invalid_argument("the snapshot is shorter than announced"));
        }
        // The proof of the call covers the first message, and with it this hash.
        if hash.finalize()[..] != head.sha256[..] {
            return Err(Status::invalid_argument("the snapshot has another hash than announced"));
        }
        // Raft stops on a snapshot that is not whole, so it never sees one.
        let received = receipt.finish(meta).await.map_err(refused)?;
        // Raft goes on with it whether or not the caller waits, and so must what keeps the file for it.
        let installing = tokio::spawn(async move { running.checked.install(vote, received, standing).await });
        let answer = installing.await.map_err(|error| failed_with(&error))??;
        Ok(v1::InstallSnapshotResponse { vote: Some(wire::vote(answer.vote)) })
    }
}

/// Checks that the caller means this node: its address may have belonged to another node, or the node to another cluster.
/// A node that has lost its data must not vote again in a term in which it has voted, and must not count as a holder of
/// an entry.
fn meant_for(running: &Running, id: u64, cluster: &str) -> Result<(), Status> {
    running.takes_part()?;
    if id != running.id {
        return Err(Status::failed_precondition(format!(
            "node id mismatch: this is node {}; expected {id}",
            running.id
        )));
    }
    let found = match running.store.cluster() {
        Some(own) if own.is_empty() || cluster.is_empty() || *own == *cluster => return Ok(()),
        Some(own) => format!("in the cluster {own}"),
        None => "in no cluster".to_owned(),
    };
    Err(Status::failed_precondition(format!(
        "node {id} is {found}; expected the cluster {cluster}. If it was a member there, it has lost its data: remove it \
         there, and let it join again"
    )))
}

/// The caller's vote, which must be for itself: a candidate and a leader send their own.
fn own_vote(cx: &Context, vote: Option<v1::Vote>) -> Result<openraft::Vote<u64>, Status> {
    let vote = wire::read_vote(vote)?;
    match proven(cx).and_then(|key| id(&shown(&key))) {
        Some(caller) if caller != vote.leader_id.node_id => Err(Status::permission_denied(format!(
            "node {caller} sends a vote for node {}; expected one for itself",
            vote.leader_id.node_id
        ))),
        _ => Ok(vote),
    }
}

/// Raft has stopped here.
pub(super) fn fatal(error: Fatal<u64>) -> Status {
    match error {
        Fatal::Stopped => Status::unavailable("this node's Raft is stopping"),
        error => Status::internal(format!("this node's Raft has failed: {error}")),
    }
}

fn refused(error: StoreError) -> Status {
    match error {
        StoreError::Snapshot { problem } => {
            tracing::warn!(problem, "a member has sent an unusable snapshot");
            Status::data_loss(problem)
        }
        error => failed_with(&error),
    }
}

fn failed_with(error: &dyn std::error::Error) -> Status {
    Status::internal(format!("the snapshot cannot be stored: {error}"))
}
