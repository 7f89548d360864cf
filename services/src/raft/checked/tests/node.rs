use std::{io::Write as _, time::Duration};

use openraft::{
    Config, Raft, RaftNetwork, RaftNetworkFactory, Snapshot,
    error::{Fatal as Ended, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
};
use tempfile::TempDir;

use super::*;
use crate::raft::store::{Store, StoreError};

/// A member of a cluster of three. The test speaks for the others.
pub(super) struct Node {
    directory: TempDir,
    store: Store,
    pub(super) raft: Raft<TypeConfig>,
    pub(super) checked: Checked,
}

/// A message of another member.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Entries(AppendEntriesRequest<TypeConfig>),
    Question(VoteQuestion<u64>),
    Snapshot(Vote<u64>, SnapshotMeta<u64, Member>),
}

/// How long a node that serves may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

impl Node {
    /// A follower of node 2 in term 1 that has committed three entries, the first of which has the three members.
    pub(super) async fn follower() -> Self {
        let node = Self::open(tempfile::tempdir().unwrap()).await;
        let log = [
            membership(id(0, 0, 0), members([SELF, 2, 3])),
            write(id(1, 2, 1)),
            write(id(1, 2, 2)),
            write(id(1, 2, 3)),
        ];
        let first = entries(Vote::new_committed(1, 2), None, log.to_vec(), Some(id(1, 2, 2)));
        node.checked.append_entries(first, Standing::Unknown).await.unwrap();
        node
    }

    pub(super) async fn open(directory: TempDir) -> Self {
        let (store, raft) = start(&directory, Silent).await;
        let checked = Checked::new(SELF, raft.clone(), store.log(), Refusals::default());
        Self { directory, store, raft, checked }
    }

    pub(super) fn last(&self) -> LogId<u64> {
        self.store.log().tail().last.unwrap_or_default()
    }

    /// Tells Raft without a check.
    pub(super) async fn tell_bare(&self, message: Message) {
        let telling = async {
            match message {
                Message::Entries(request) => drop(self.raft.append_entries(request).await),
                Message::Question(question) => drop(self.raft.vote(question).await),
                Message::Snapshot(vote, meta) => {
                    let mut file = tempfile::tempfile().unwrap();
                    file.write_all(b"not a snapshot").unwrap();
                    let snapshot = Snapshot { meta, snapshot: Box::new(tokio::fs::File::from_std(file)) };
                    drop(self.raft.install_full_snapshot(vote, snapshot).await);
                }
            }
        };
        // A Raft that has ended may leave the question open.
        let _ = tokio::time::timeout(Duration::from_secs(1), telling).await;
    }

    /// Tells the checks. A snapshot is offered, not sent.
    pub(super) async fn tell(&self, message: Message) -> Result<(), Status> {
        let told = async {
            match message {
                Message::Entries(request) => {
                    self.checked.append_entries(request, Standing::Unknown).await.map(drop)
                }
                Message::Question(question) => self.checked.vote(question, Standing::Unknown).await.map(drop),
                Message::Snapshot(vote, meta) => {
                    self.checked.offer(&vote, &meta, Standing::Unknown).await.map(drop)
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("an answer")
    }

    /// Whether an honest leader of this standing is followed, whether the node stands for election, and whether both is so after a restart.
    pub(super) async fn serves(self, standing: Standing) -> Result<(), String> {
        self.follows(standing).await?;
        self.raft.shutdown().await.map_err(|error| error.to_string())?;
        let Self { directory, store, raft, checked } = self;
        drop((store, raft, checked));
        let starting = tokio::time::timeout(PATIENCE, tokio::spawn(Self::open(directory)));
        let started = starting.await.map_err(|_| "it does not start".to_owned())?;
        let node = started.map_err(|error| format!("it does not start: {error}"))?;
        node.follows(standing).await?;
        node.raft.shutdown().await.map_err(|error| error.to_string())
    }

    async fn follows(&self, standing: Standing) -> Result<(), String> {
        for stands in [false, true] {
            if stands {
                self.raft.trigger().elect().await.map_err(|error| error.to_string())?;
            }
            let looking = self.raft.with_raft_state(|state| *state.vote_ref());
            let vote = looking.await.map_err(|error| format!("its vote: {error}"))?;
            let term = vote.leader_id.term.checked_add(1).ok_or("its term is the last one")?;
            let leader = Vote::new_committed(term, 2);
            // A node that is its whole cluster by now leads, and writes: it has to follow first.
            let first = entries(leader, None, Vec::new(), None);
            let following = self.checked.append_entries(first, standing);
            let answer =
                tokio::time::timeout(PATIENCE, following).await.map_err(|_| "no answer".to_owned())?;
            answer.map_err(|status| format!("a heartbeat is answered by {status}"))?;
            let last = self.last();
            let next = id(term, 2, last.index + 1);
            let request = entries(leader, Some(last), vec![write(next)], Some(next));
            let answering = self.checked.append_entries(request, standing);
            let answer =
                tokio::time::timeout(PATIENCE, answering).await.map_err(|_| "no answer".to_owned())?;
            match answer {
                Ok(AppendEntriesResponse::Success) => {}
                other => return Err(format!("entries are answered by {other:?}")),
            }
            let applied = self.raft.wait(Some(PATIENCE)).applied_index(Some(next.index), "applied").await;
            let metrics = applied.map_err(|error| error.to_string())?;
            metrics.running_state.map_err(|error| error.to_string())?;
            let mut voters = metrics.membership_config.membership().voter_ids();
            if standing == Standing::Unknown && !voters.any(|voter| voter == SELF) {
                return Err("it votes no more".to_owned());
            }
        }
        Ok(())
    }
}

/// A Raft with the store in this directory, and this network.
pub(super) async fn start<N: RaftNetworkFactory<TypeConfig>>(
    directory: &TempDir,
    network: N,
) -> (Store, Raft<TypeConfig>) {
    let path = directory.path().join("raft");
    let store = loop {
        match Store::open(&path) {
            // What was about to be sent is let go in a moment.
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            opened => break opened.unwrap(),
        }
    };
    let config = Config { enable_elect: false, ..Config::default() };
    let config = Arc::new(config.validate().unwrap());
    let raft = Raft::new(SELF, config, network, store.log(), store.state_machine()).await.unwrap();
    (store, raft)
}

/// The network to members that do not answer.
#[derive(Clone, Copy, Debug)]
struct Silent;

fn gone() -> Unreachable {
    Unreachable::new(&Status::unavailable("no member answers"))
}

impl RaftNetworkFactory<TypeConfig> for Silent {
    type Network = Self;

    async fn new_client(&mut self, _: u64, _: &Member) -> Self {
        Self
    }
}

impl RaftNetwork<TypeConfig> for Silent {
    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, Member, RaftError<u64>>> {
        Err(gone().into())
    }

    async fn vote(
        &mut self,
        _: VoteQuestion<u64>,
        _: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, Member, RaftError<u64>>> {
        Err(gone().into())
    }

    async fn full_snapshot(
        &mut self,
        _: Vote<u64>,
        _: Snapshot<TypeConfig>,
        _: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Ended<u64>>> {
        Err(gone().into())
    }
}
