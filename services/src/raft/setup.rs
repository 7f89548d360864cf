use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use openraft::{Config, Raft, SnapshotPolicy};
use polywire::{
    ComponentError, ConnectOptions, config::RaftTransport, node::WithoutData, policy::PolicyHandle,
};
use tokio::{sync::Mutex, time::Instant};

use super::{
    checked::{Answers, Checked, Refusals},
    network::NetworkFactory,
    peers::Peers,
    proof::Prover,
    quorum::Quorum,
    running::Running,
    store::{Store, StoreError},
};
use crate::{local_node::LocalNode, member::id};

/// What does not change while the node is there.
#[derive(Debug)]
pub(super) struct Setup {
    id: u64,
    local_node: LocalNode,
    pub(super) directory: PathBuf,
    /// The mark of a node whose directory is not there yet.
    pub(super) unmade: WithoutData,
    config: Arc<Config>,
    connect_options: ConnectOptions,
    rule: RaftTransport,
    /// The node's policies, where there is something to choose.
    policies: Option<PolicyHandle>,
    /// How long ago a majority may have answered the leader for it to count as one.
    quorum_limit: Duration,
    batch: usize,
    max_value_bytes: usize,
    prover: Option<Prover>,
}

/// A value is at most this large, in bytes, and less where messages must be smaller.
const VALUE: usize = 1 << 20;

/// So many writes make a snapshot, and as many entries stay in the log for members that were away.
const SNAPSHOT_EVERY: u64 = 10_000;

/// How many entries go into one message, at most.
const ENTRIES: u64 = 256;

/// How long calls may take to let go of the files of a Raft that has failed, and how often that is looked at.
const CLOSING: Duration = Duration::from_secs(2);
const LOOKING: Duration = Duration::from_millis(20);

/// So many elections may pass before a leader that is not heard of is taken for gone.
const ELECTIONS: u32 = 2;

/// How many times the shortest time without a leader may go by before a node stands for election: see
/// `cluster.election_timeout`.
const LONGEST_ELECTION: u32 = 4;

/// How long a snapshot may take to be sent, in milliseconds.
const SNAPSHOT_TIMEOUT: u64 = 60_000;

impl Setup {
    pub(super) fn new(local_node: LocalNode, prover: Option<Prover>) -> Result<Self, ComponentError> {
        let node = local_node.node();
        let config = &node.parts.config;
        let id = id(&node.targets.node_id).ok_or("the node's id is no public key in hexadecimal")?;
        let has_choice = config.transport.serves_grpc() && config.transport.serves_iroh();
        let smallest = config.transport.grpc.max_message_size.min(config.transport.iroh.max_message_size);
        Ok(Self {
            id,
            directory: config.node.data_dir.join("raft"),
            unmade: WithoutData::of(&config.node.data_dir),
            config: Arc::new(raft_config(&config.cluster)?),
            connect_options: node.connect_options.clone(),
            rule: config.transport.raft_transport(),
            policies: has_choice.then(|| node.parts.policies.clone()),
            quorum_limit: config.cluster.election_timeout * ELECTIONS * LONGEST_ELECTION,
            batch: smallest / 4 * 3,
            max_value_bytes: VALUE.min(smallest / 2),
            prover,
            local_node,
        })
    }

    /// As [`open`](Self::open), once the calls that have been let into the Raft before have let its files go.
    pub(super) async fn open_once_closed(&self) -> Result<Running, ComponentError> {
        let until = Instant::now() + CLOSING;
        loop {
            match self.open().await {
                Err(error) if is_in_use(&*error) && Instant::now() < until => {
                    tokio::time::sleep(LOOKING).await;
                }
                opened => return opened,
            }
        }
    }

    pub(super) async fn open(&self) -> Result<Running, ComponentError> {
        let (directory, incarnation) = (self.directory.clone(), self.local_node.member().incarnation);
        let unmade = self.unmade.clone();
        let opening = move || -> Result<Store, StoreError> {
            let store = Store::open_or_lose(&directory, !unmade.is_set())?;
            unmade.clear().map_err(|source| StoreError::Disk { path: directory, source })?;
            store.begin_run(incarnation)?;
            Ok(store)
        };
        let store = tokio::task::spawn_blocking(opening).await??;
        let peers = Peers::new(&self.connect_options, self.rule, self.policies.clone(), self.prover.clone());
        let quorum = Quorum::new(self.quorum_limit);
        let refusals = Refusals::default();
        let network = NetworkFactory {
            answers: Answers::new(self.id, quorum.clone(), refusals.clone()),
            peers: peers.clone(),
            store: store.clone(),
            quorum: quorum.clone(),
            batch: self.batch,
        };
        let raft =
            Raft::new(self.id, self.config.clone(), network, store.log(), store.state_machine()).await?;
        quorum.follow(raft.metrics());
        let (reader, disk) = (store.reader(), store.disk_failure());
        let checked = Checked::new(self.id, raft.clone(), store.log(), refusals);
        Ok(Running {
            checked,
            id: self.id,
            local_node: self.local_node.clone(),
            raft,
            store,
            reader,
            peers,
            max_value_bytes: self.max_value_bytes,
            leader_commit: AtomicU64::new(0),
            introduced: AtomicBool::new(false),
            examining: Mutex::default(),
            quorum,
            removed: AtomicBool::new(false),
            disk,
        })
    }
}

fn raft_config(cluster: &polywire::config::Cluster) -> Result<Config, ComponentError> {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
    let least = milliseconds(cluster.election_timeout);
    let config = Config {
        cluster_name: "polywire".to_owned(),
        heartbeat_interval: milliseconds(cluster.heartbeat_interval),
        election_timeout_min: least,
        election_timeout_max: least.saturating_mul(2),
        install_snapshot_timeout: SNAPSHOT_TIMEOUT,
        max_payload_entries: ENTRIES,
        // Not before the others have been asked whether this is the member that they know.
        enable_elect: false,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
        max_in_snapshot_log_to_keep: SNAPSHOT_EVERY,
        purge_batch_size: ENTRIES,
        ..Config::default()
    };
    config.validate().map_err(|error| {
        let keys = "cluster.heartbeat_interval and cluster.election_timeout cannot be used together";
        format!("{keys}: {error}").into()
    })
}

/// Whether a file is in use: by another process, or by what has not ended in this one.
pub(super) fn is_in_use(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::InUse { .. }))
}
