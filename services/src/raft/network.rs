//! Raft's network: the generated client of the service [`Raft`](super::server::Raft).

use std::{future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use openraft::{
    AnyError, RaftNetwork, RaftNetworkFactory, RaftTypeConfig, Snapshot, StorageError, StorageIOError,
    error::{
        Fatal, NetworkError, PayloadTooLarge, RPCError, RaftError, ReplicationClosed, StreamingError,
        Unreachable,
    },
    network::{Backoff, RPCOption},
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
};
use polywire::{Code, Context, Status, Streaming, TraceContext};
use polywire_proto::raft::v1::{self, append_entries_response::Outcome};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::watch,
};

use super::{
    Member, TypeConfig,
    checked::{Acknowledged, Answers, Sent},
    peer::Peer,
    peers::Peers,
    quorum::Quorum,
    server::RaftClient,
    store::Store,
    wire,
};

/// Creates the network of each other member.
#[derive(Clone, Debug)]
pub(super) struct NetworkFactory {
    pub(super) peers: Peers,
    pub(super) store: Store,
    pub(super) quorum: Quorum,
    pub(super) answers: Answers,
    /// How many bytes of entries go into one message, at most; but one entry at least.
    pub(super) batch: usize,
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: u64, member: &Member) -> PeerNetwork {
        let peer = self.peers.learn(target, member);
        let (store, quorum, answers) = (self.store.clone(), self.quorum.clone(), self.answers.clone());
        PeerNetwork {
            to: target,
            peer,
            store,
            quorum,
            answers,
            acknowledged: Acknowledged::default(),
            batch: self.batch,
        }
    }
}

/// Raft's calls to one member.
#[derive(Debug)]
pub(super) struct PeerNetwork {
    to: u64,
    peer: Arc<Peer>,
    store: Store,
    quorum: Quorum,
    answers: Answers,
    acknowledged: Acknowledged,
    batch: usize,
}

impl PeerNetwork {
    /// The id of this node's cluster.
    fn cluster_id(&self) -> String {
        self.store.cluster().map(|id| id.to_string()).unwrap_or_default()
    }
}

// Calls use the soft limit: at the hard limit Raft drops the call, and its outcome would be lost.
type Failure = RPCError<u64, Member, RaftError<u64>>;

/// How many bytes of a snapshot travel in one message.
const CHUNK: usize = 256 << 10;

/// The pause after a member was unreachable.
const PAUSE: Duration = Duration::from_millis(200);

impl RaftNetwork<TypeConfig> for PeerNetwork {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failure> {
        let sent = Sent::of(&rpc);
        let entries: Vec<_> =
            rpc.entries.iter().map(wire::pack).collect::<Result<_, _>>().map_err(unreachable)?;
        let fitting = fitting(entries.iter().map(Bytes::len), self.batch);
        if fitting < entries.len() {
            return Err(PayloadTooLarge::new_entries_hint(fitting as u64).into());
        }
        let request = v1::AppendEntriesRequest {
            to: self.to,
            vote: Some(wire::vote(rpc.vote)),
            prev_log_id: rpc.prev_log_id.map(wire::log_id),
            entries,
            leader_commit: rpc.leader_commit.map(wire::log_id),
            cluster_id: self.cluster_id(),
            quorum_age_ms: Some(self.quorum.own_age_ms()),
        };
        let limit = option.soft_ttl();
        let calling = self.peer.consensus(async |channel| {
            RaftClient::new(channel).append_entries(request).context(&unrecorded()).timeout(limit).await
        });
        let answer = calling.await.map_err(failure)?;
        let answer = match answer.outcome() {
            Outcome::Success => AppendEntriesResponse::Success,
            Outcome::PartialSuccess => {
                AppendEntriesResponse::PartialSuccess(answer.matching.map(wire::read_log_id))
            }
            Outcome::Conflict => AppendEntriesResponse::Conflict,
            Outcome::HigherVote => {
                AppendEntriesResponse::HigherVote(wire::read_vote(answer.vote).map_err(unreachable)?)
            }
        };
        self.answers
            .entries(self.to, &sent, &mut self.acknowledged, answer)
            .map_err(|refusal| Unreachable::new(&refusal).into())
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, option: RPCOption) -> Result<VoteResponse<u64>, Failure> {
        let request = v1::VoteRequest {
            to: self.to,
            vote: Some(wire::vote(rpc.vote)),
            last_log_id: rpc.last_log_id.map(wire::log_id),
            cluster_id: self.cluster_id(),
        };
        let limit = option.soft_ttl();
        let calling = self.peer.consensus(async |channel| {
            RaftClient::new(channel).vote(request).context(&unrecorded()).timeout(limit).await
        });
        let answer = calling.await.map_err(failure)?;
        let answer = VoteResponse {
            vote: wire::read_vote(answer.vote).map_err(unreachable)?,
            vote_granted: answer.granted,
            last_log_id: answer.last_log_id.map(wire::read_log_id),
        };
        let answer = self.answers.vote(self.to, &rpc.vote, answer);
        let answer = answer.map_err(|refusal| Failure::from(Unreachable::new(&refusal)))?;
        if answer.vote_granted {
            self.quorum.voted(rpc.vote.leader_id.term, self.to);
        }
        Ok(answer)
    }

    async fn full_snapshot(
        &mut self,
        vote: openraft::Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        let mut file = *snapshot.snapshot;
        let (size, sha256) = measure(&mut file).await.map_err(unreadable)?;
        let meta = wire::pack(&snapshot.meta).map_err(|status| Unreachable::new(&status))?;
        let (own, cluster_id) = (vote, self.cluster_id());
        let vote = Some(wire::vote(own));
        let head = v1::SnapshotHead { to: self.to, vote, meta, size, cluster_id, sha256 };
        let (taken, progress) = watch::channel(0);
        let patience = Patience { chunk: option.soft_ttl(), size };
        let sending = self.peer.call(async |channel| {
            let client = RaftClient::new(channel);
            let sending = client.install_snapshot(chunks(head, file, taken)).context(&unrecorded());
            tokio::select! {
                answer = sending => answer,
                late = patience.ends(progress) => Err(late),
            }
        });
        let answer = tokio::select! {
            closed = cancel => return Err(closed.into()),
            answer = sending => answer.map_err(|status| Unreachable::new(&status))?,
        };
        let vote = wire::read_vote(answer.vote).map_err(|status| NetworkError::new(&status))?;
        let vote = self.answers.snapshot(self.to, &own, vote);
        Ok(SnapshotResponse { vote: vote.map_err(|refusal| Unreachable::new(&refusal))? })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(PAUSE))
    }
}

/// The context of routine calls between members: their traces would hide all others.
fn unrecorded() -> Context {
    Context::new().with_trace(TraceContext::unsampled())
}

/// How many of these go into one message of `batch` bytes: one at least.
fn fitting(sizes: impl Iterator<Item = usize>, batch: usize) -> usize {
    let sums = sizes.scan(0, |sum: &mut usize, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.enumerate().take_while(|(index, sum)| *index == 0 || *sum <= batch).count()
}

/// The size of a snapshot, and its hash.
async fn measure(file: &mut <TypeConfig as RaftTypeConfig>::SnapshotData) -> io::Result<(u64, Bytes)> {
    file.rewind().await?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut data = bytes::BytesMut::with_capacity(CHUNK);
    while file.read_buf(&mut data).await? > 0 {
        size += data.len() as u64;
        hash.update(&data);
        data.clear();
    }
    file.rewind().await?;
    Ok((size, Bytes::copy_from_slice(&hash.finalize())))
}

/// The time limit of a snapshot: unlimited while the member makes progress.
struct Patience {
    /// How long the member may take for one chunk.
    chunk: Duration,
    size: u64,
}

/// How many bytes of a snapshot a member checks and installs in a second, at least.
const INSTALLED: u64 = 4 << 20;

impl Patience {
    /// Returns once the member has made no progress for too long.
    async fn ends(&self, mut taken: watch::Receiver<u64>) -> Status {
        loop {
            let so_far = *taken.borrow_and_update();
            let last = so_far >= self.size;
            let installing = if last { Duration::from_secs(self.size / INSTALLED) } else { Duration::ZERO };
            let limit = self.chunk + installing;
            // The sender is gone after the last chunk: from then on the member installs the snapshot.
            let moved = async {
                if taken.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            if tokio::time::timeout(limit, moved).await.is_err() {
                return Status::deadline_exceeded(format!(
                    "of {} bytes of a snapshot the member has taken {so_far}, and no more for {limit:?}",
                    self.size
                ));
            }
        }
    }
}

/// The snapshot as messages: its head, then its bytes. Reports how many bytes were taken.
fn chunks(
    head: v1::SnapshotHead,
    file: tokio::fs::File,
    taken: watch::Sender<u64>,
) -> Streaming<v1::InstallSnapshotRequest> {
    Streaming::new(stream::try_unfold((Some(head), file, taken), |(head, mut file, taken)| async move {
        let mut data = bytes::BytesMut::with_capacity(CHUNK);
        let reading = (&mut file).take(CHUNK as u64).read_buf(&mut data).await;
        reading.map_err(|error| Status::aborted(format!("the snapshot cannot be read: {error}")))?;
        if head.is_none() && data.is_empty() {
            return Ok(None);
        }
        taken.send_modify(|taken| *taken += data.len() as u64);
        Ok(Some((v1::InstallSnapshotRequest { head, data: data.freeze() }, (None, file, taken))))
    }))
}

fn unreadable(error: io::Error) -> StorageError<u64> {
    StorageIOError::read_snapshot(None, AnyError::new(&error)).into()
}

/// Maps a status to Raft's error: Raft waits before it retries an unreachable member, and retries others at once.
fn failure(status: Status) -> Failure {
    match status.code() {
        Code::ResourceExhausted => PayloadTooLarge::new_entries_hint(1).into(),
        _ => unreachable(status),
    }
}

fn unreachable(status: Status) -> Failure {
    Unreachable::new(&status).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_cut_where_the_message_is_full() {
        assert_eq!(fitting([3, 3, 3].into_iter(), 9), 3);
        assert_eq!(fitting([3, 3, 3].into_iter(), 8), 2);
        assert_eq!(fitting([30, 3].into_iter(), 8), 1);
        assert_eq!(fitting([].into_iter(), 8), 0);
    }
    /// How long a member may take that takes chunks of this size, one in so long, and then installs them.
    async fn snapshot(size: u64, chunk: u64, each: Duration, installs: Duration) -> Result<(), Status> {
        let (taken, progress) = watch::channel(0);
        let patience = Patience { chunk: Duration::from_secs(45), size };
        let taking = async move {
            for _ in 0..size / chunk {
                tokio::time::sleep(each).await;
                taken.send_modify(|taken| *taken += chunk);
            }
            drop(taken);
            tokio::time::sleep(installs).await;
        };
        tokio::select! {
            () = taking => Ok(()),
            late = patience.ends(progress) => Err(late),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_snapshot_may_take_long_and_a_member_that_stands_still_may_not() {
        const MIB: u64 = 1 << 20;
        let seconds = Duration::from_secs;
        snapshot(1_024 * MIB, MIB, seconds(1), seconds(250)).await.unwrap();
        let stuck = snapshot(4 * MIB, MIB, seconds(46), seconds(0)).await.unwrap_err();
        assert_eq!(stuck.code(), Code::DeadlineExceeded);
        assert!(stuck.message().contains("the member has taken 0, and no more for 45s"), "{stuck}");
        snapshot(4 * MIB, MIB, seconds(1), seconds(44)).await.unwrap();
        snapshot(4 * MIB, MIB, seconds(1), seconds(60)).await.unwrap_err();
    }
}
