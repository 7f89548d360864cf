use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex as SyncMutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use openraft::{Config, Raft, SnapshotPolicy, error::InitializeError, error::RaftError};
use polywire::{ComponentError, ConnectOptions, Status, config::RaftTransport, policy::PolicyHandle};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinSet,
    time::Instant,
};

use super::{
    Handle, Running,
    network::NetworkFactory,
    peers::Peers,
    quorum::Quorum,
    server::fatal,
    store::{Store, StoreError},
};
use crate::{local_node::LocalNode, member::id};

/// How this node's Raft begins, begins anew, and ends. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    pub(super) handle: Handle,
    setup: Arc<OnceLock<Setup>>,
    /// Held by what changes which cluster the node is in.
    changing: Arc<Mutex<()>>,
    /// Such changes, which go on when nobody waits for them any more.
    changes: Arc<SyncMutex<JoinSet<()>>>,
}

/// What does not change while the node is there.
#[derive(Debug)]
struct Setup {
    id: u64,
    local_node: LocalNode,
    directory: PathBuf,
    config: Arc<Config>,
    connect_options: ConnectOptions,
    rule: RaftTransport,
    /// The node's policies, where there is something to choose.
    policies: Option<PolicyHandle>,
    /// How long ago a majority may have answered the leader for it to count as one.
    quorum_limit: Duration,
    batch: usize,
    max_value_bytes: usize,
}

/// A value is at most this large, in bytes, and less where messages must be smaller.
const VALUE: usize = 1 << 20;

/// So many writes make a snapshot, and as many entries stay in the log for members that were away.
const SNAPSHOT_EVERY: u64 = 10_000;

/// How many entries go into one message, at most.
const ENTRIES: u64 = 256;

/// How long a node that is alone may take to lead before the start goes on without that.
const LEADING: Duration = Duration::from_secs(1);

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

impl Lifecycle {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, setup: Arc::default(), changing: Arc::default(), changes: Arc::default() }
    }

    /// Starts what the node has on disk, and a cluster of one where `alone` says so and it has nothing.
    pub(super) async fn start(&self, local_node: &LocalNode, alone: bool) -> Result<(), ComponentError> {
        let setup = Setup::new(local_node.clone())?;
        let setup = self.setup.get_or_init(|| setup);
        let running = setup.open().await?;
        let fresh = !running.raft.is_initialized().await?;
        self.handle.set(Some(running));
        if fresh && alone {
            self.form().await?;
        }
        Ok(self.lead_alone().await?)
    }

    /// A node that is its whole cluster has nobody to wait for, and need not be told by a timeout.
    async fn lead_alone(&self) -> Result<(), Status> {
        let running = self.handle.running()?;
        let mut metrics = running.raft.metrics();
        let is_alone = voters(&metrics.borrow()).iter().eq([&running.id]);
        if is_alone {
            if metrics.borrow().current_leader.is_none() {
                running.raft.trigger().elect().await.map_err(fatal)?;
            }
            let leads = metrics.wait_for(|metrics| metrics.current_leader == Some(running.id));
            // Health says so where it takes longer.
            let _ = tokio::time::timeout(LEADING, leads).await;
        }
        Ok(())
    }

    /// Ends what changes the cluster, and Raft; what it has is on disk.
    pub(super) async fn stop(&self) {
        let mut changes = std::mem::take(&mut *self.changes());
        changes.shutdown().await;
        self.end().await;
    }

    /// The directory of what Raft keeps; empty before the node has started.
    pub(super) fn directory(&self) -> &Path {
        self.setup.get().map_or_else(|| Path::new(""), |setup| &setup.directory)
    }

    /// Ends the Raft that has failed, as `has_failed` says, and begins another with what is on the disk, unless that has
    /// been done meanwhile.
    ///
    /// # Errors
    /// When the storage cannot be opened. Nothing runs then, and those who ask are told why.
    pub(super) async fn open_again(
        &self,
        has_failed: impl Fn(&Running) -> bool,
    ) -> Result<(), ComponentError> {
        let _changing = self.changing.lock().await;
        if self.handle.running().is_ok_and(|running| !has_failed(&running)) {
            return Ok(());
        }
        let setup = self.setup.get().ok_or("this node has not started")?;
        self.end().await;
        let opened = setup.open_once_closed().await;
        let running = opened
            .inspect_err(|error| self.handle.stopped(format!("this node's Raft has failed: {error}")))?;
        self.handle.set(Some(running));
        Ok(self.lead_alone().await?)
    }

    async fn end(&self) {
        let running = self.handle.running();
        self.handle.set(None);
        if let Ok(running) = running
            && let Err(error) = running.raft.shutdown().await
        {
            tracing::warn!(%error, "Raft did not end well");
        }
    }

    /// Makes a change of which cluster the node is in, once the one before it is through.
    ///
    /// # Errors
    /// Those of the change; `Unavailable` where the node stops before it is through.
    ///
    /// # Cancel safety
    /// A change that has begun goes on: half of one leaves a node that is in no cluster, or a cluster with a member
    /// that is none.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let (tell, told) = oneshot::channel();
        let changing = self.changing.clone();
        let task = async move {
            let _changing = changing.lock().await;
            if !tell.is_closed() {
                // Whoever asked for it may have gone.
                let _ = tell.send(change.await);
            }
        };
        {
            let mut changes = self.changes();
            while changes.try_join_next().is_some() {}
            changes.spawn(task);
        }
        told.await.unwrap_or_else(|_| Err(Status::unavailable("this node is stopping")))
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forms a cluster of this node alone, unless it is in one.
    pub(super) async fn form(&self) -> Result<(), Status> {
        let mut running = self.handle.running()?;
        if !running.raft.is_initialized().await.map_err(fatal)? {
            if running.store.cluster().is_some() {
                // It had asked to join one, which may take it in yet.
                drop(running);
                self.begin_anew().await?;
                running = self.handle.running()?;
            }
            running.store.found_cluster().await.map_err(|error| Status::internal(error.to_string()))?;
        }
        let members = BTreeMap::from([(running.id, running.member())]);
        match running.raft.initialize(members).await {
            Ok(()) => tracing::info!(cluster = running.cluster_id(), "this node has formed a cluster"),
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(error) => return Err(Status::internal(format!("no cluster could be formed: {error}"))),
        }
        // What Raft says of itself follows what it has done.
        let formed =
            async { running.raft.metrics().wait_for(|metrics| !voters(metrics).is_empty()).await.is_ok() };
        let _ = tokio::time::timeout(LEADING, formed).await;
        self.lead_alone().await
    }

    /// Begins again with nothing, in no cluster.
    pub(super) async fn begin_anew(&self) -> Result<(), Status> {
        let failed = |error: StoreError| Status::internal(error.to_string());
        let setup = self.setup.get().ok_or_else(|| Status::unavailable("this node has not started"))?;
        let store = self.handle.running().ok().map(|running| running.store.clone());
        self.end().await;
        let directory = setup.directory.clone();
        // Whoever still reads the old files may go on; new ones take their place.
        let clearing = move || {
            if let Some(store) = store {
                store.retire();
            }
            clear(&directory)
        };
        let cleared = tokio::task::spawn_blocking(clearing).await;
        cleared.map_err(|error| Status::internal(error.to_string()))?.map_err(failed)?;
        let running = setup.open().await.map_err(|error| Status::internal(error.to_string()))?;
        self.handle.set(Some(running));
        Ok(())
    }
}

fn clear(directory: &Path) -> Result<(), StoreError> {
    let old = directory.with_extension("old");
    let failed = |source| StoreError::Disk { path: old.clone(), source };
    if old.exists() {
        std::fs::remove_dir_all(&old).map_err(failed)?;
    }
    std::fs::rename(directory, &old).map_err(failed)?;
    std::fs::remove_dir_all(&old).map_err(failed)
}

impl Setup {
    fn new(local_node: LocalNode) -> Result<Self, ComponentError> {
        let node = local_node.node();
        let config = &node.parts.config;
        let id = id(&node.targets.node_id).ok_or("the node's id is no public key in hexadecimal")?;
        let has_choice = config.transport.serves_grpc() && config.transport.serves_iroh();
        let smallest = config.transport.grpc.max_message_size.min(config.transport.iroh.max_message_size);
        Ok(Self {
            id,
            directory: config.node.data_dir.join("raft"),
            config: Arc::new(raft_config(&config.cluster)?),
            connect_options: node.connect_options.clone(),
            rule: config.transport.raft_transport(),
            policies: has_choice.then(|| node.parts.policies.clone()),
            quorum_limit: config.cluster.election_timeout * ELECTIONS * LONGEST_ELECTION,
            batch: smallest / 4 * 3,
            max_value_bytes: VALUE.min(smallest / 2),
            local_node,
        })
    }

    /// As [`open`](Self::open), once the calls that have been let into the Raft before have let its files go.
    async fn open_once_closed(&self) -> Result<Running, ComponentError> {
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

    async fn open(&self) -> Result<Running, ComponentError> {
        let (directory, incarnation) = (self.directory.clone(), self.local_node.member().incarnation);
        let opening = move || -> Result<Store, StoreError> {
            let store = Store::open(&directory)?;
            store.begin_run(incarnation)?;
            Ok(store)
        };
        let store = tokio::task::spawn_blocking(opening).await??;
        let peers = Peers::new(&self.connect_options, self.rule, self.policies.clone());
        let quorum = Quorum::new(self.quorum_limit);
        let network = NetworkFactory {
            peers: peers.clone(),
            store: store.clone(),
            quorum: quorum.clone(),
            batch: self.batch,
        };
        let raft =
            Raft::new(self.id, self.config.clone(), network, store.log(), store.state_machine()).await?;
        quorum.follow(raft.metrics());
        let (reader, disk) = (store.reader(), store.disk_failure());
        Ok(Running {
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

/// The members that vote.
pub(super) fn voters(metrics: &super::Metrics) -> BTreeSet<u64> {
    metrics.membership_config.membership().voter_ids().collect()
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};
    use polywire::Health;

    use super::*;

    #[tokio::test]
    async fn a_change_that_has_begun_goes_on_without_whoever_asked_for_it() {
        let lifecycle = Lifecycle::new(Handle::new(Health::new()));
        let (begin, begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let change = lifecycle.change(async move {
            begin.send(()).unwrap();
            may_go_on.await.unwrap();
            end.send(()).unwrap();
            Ok(())
        });
        let mut change = Box::pin(change);
        assert!(poll!(&mut change).is_pending());
        begun.await.unwrap();

        let mut next = Box::pin(lifecycle.change(async { Err::<(), _>(Status::aborted("the next")) }));
        let given_up = lifecycle.change::<()>(async { panic!("nobody waits for this one") });
        assert!(poll!(&mut next).is_pending(), "one after the other");
        given_up.now_or_never();
        drop(change);
        go_on.send(()).unwrap();
        ended.await.unwrap();
        assert_eq!(next.await.unwrap_err().message(), "the next");
    }

    #[tokio::test]
    async fn a_change_ends_with_the_node() {
        let lifecycle = Lifecycle::new(Handle::new(Health::new()));
        let mut change = Box::pin(lifecycle.change(std::future::pending::<Result<(), _>>()));
        assert!(poll!(&mut change).is_pending());
        lifecycle.stop().await;
        assert!(change.await.unwrap_err().message().contains("is stopping"));
    }
}
