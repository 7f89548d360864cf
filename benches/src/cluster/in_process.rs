//! The ceiling: consensus calls the other members as functions, without a network and without an encoding.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use openraft::{
    Config, Raft, RaftNetwork, RaftNetworkFactory, Snapshot, Vote,
    error::{Fatal, RPCError, RaftError, RemoteError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
};
use polywire_services::raft::{Member, TypeConfig, store::Store};

use super::{Cluster, MEMBERS};
use crate::contestant;

/// The members, by their ids.
#[derive(Clone, Default)]
struct Network(Arc<RwLock<BTreeMap<u64, Raft<TypeConfig>>>>);

/// The way to one of them.
struct Line {
    to: u64,
    network: Network,
}

type Failure = RPCError<u64, Member, RaftError<u64>>;

/// How long a cluster may take to elect its leader.
const ELECTION: Duration = Duration::from_secs(10);

/// Starts the members, with their files below this directory.
pub(super) async fn start(
    name: &'static str,
    config: Arc<Config>,
    directory: &Path,
) -> contestant::Result<Cluster> {
    let network = Network::default();
    let mut members = BTreeMap::new();
    for id in 1..=MEMBERS as u64 {
        let directory = directory.join(format!("in-process-{id}"));
        let store = tokio::task::spawn_blocking(move || Store::open(&directory)).await??;
        let raft = Raft::new(id, config.clone(), network.clone(), store.log(), store.state_machine()).await?;
        network.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, raft);
        members.insert(id, Member::default());
    }
    let first = network.member(1).ok_or("a cluster has members")?;
    first.initialize(members).await?;
    let elected = first.wait(Some(ELECTION));
    let elected = elected.metrics(|metrics| metrics.current_leader.is_some(), "a leader").await?;
    let leader = elected.current_leader.unwrap_or_default();
    let leader = network.member(leader).ok_or("the leader is none of the members")?;
    Ok(Cluster { name, leader, _members: Box::new(network) })
}

impl Network {
    fn member(&self, id: u64) -> Option<Raft<TypeConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Line;

    async fn new_client(&mut self, to: u64, _: &Member) -> Line {
        Line { to, network: self.clone() }
    }
}

impl Line {
    fn member(&self) -> Result<Raft<TypeConfig>, Unreachable> {
        let missing = || Unreachable::new(&std::io::Error::other("the member has not started"));
        self.network.member(self.to).ok_or_else(missing)
    }

    fn failed(&self, error: RaftError<u64>) -> Failure {
        RPCError::RemoteError(RemoteError::new(self.to, error))
    }
}

impl RaftNetwork<TypeConfig> for Line {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failure> {
        self.member()?.append_entries(rpc).await.map_err(|error| self.failed(error))
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, _: RPCOption) -> Result<VoteResponse<u64>, Failure> {
        self.member()?.vote(rpc).await.map_err(|error| self.failed(error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        let member = self.member()?;
        tokio::select! {
            closed = cancel => Err(closed.into()),
            answer = member.install_full_snapshot(vote, snapshot) => {
                answer.map_err(|error| Unreachable::new(&error).into())
            }
        }
    }
}
