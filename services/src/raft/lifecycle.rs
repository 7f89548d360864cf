use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use openraft::error::{InitializeError, RaftError};
use parking_lot::{Mutex as SyncMutex, MutexGuard};
use polywire::{ComponentError, Context, Status};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinSet,
    time::Instant,
};

use super::{
    handle::Handle, metrics::voters, running::Running, server::fatal, setup::Setup, store::StoreError,
};
use crate::local_node::LocalNode;

/// Starts, restarts and stops this node's Raft. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    pub(super) handle: Handle,
    setup: Arc<OnceLock<Setup>>,
    /// Held while the node changes its cluster.
    changing: Arc<Mutex<()>>,
    /// Such changes, which continue after their callers have left.
    changes: Arc<SyncMutex<JoinSet<()>>>,
}

/// How long the start waits for a node that is alone to lead.
const LEADING: Duration = Duration::from_secs(1);

/// The time limit of a change of the cluster without a deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// By when the change that this call asks for must be complete.
pub(super) fn deadline(cx: &Context) -> Instant {
    cx.deadline().unwrap_or_else(|| Instant::now() + PATIENCE)
}

impl Lifecycle {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, setup: Arc::default(), changing: Arc::default(), changes: Arc::default() }
    }

    /// Starts Raft with the data on disk; without data and with `alone`, forms a cluster of one.
    pub(super) async fn start(&self, local_node: &LocalNode, alone: bool) -> Result<(), ComponentError> {
        let setup = Setup::new(local_node.clone(), self.handle.trust().prover().cloned())?;
        let setup = self.setup.get_or_init(|| setup);
        let running = setup.open().await?;
        let mut fresh = !running.raft.is_initialized().await?;
        if fresh && running.store.is_lost() {
            tracing::error!("{}", running.lost());
            fresh = false;
        }
        self.handle.set(Some(running));
        if fresh && alone {
            self.form().await?;
        }
        Ok(self.lead_alone().await?)
    }

    /// A node that is its whole cluster elects itself at once instead of after a timeout.
    async fn lead_alone(&self) -> Result<(), Status> {
        let running = self.handle.running()?;
        let mut metrics = running.raft.metrics();
        let is_alone = voters(&metrics.borrow()).iter().eq([&running.id]);
        if is_alone {
            if metrics.borrow().current_leader.is_none() {
                running.raft.trigger().elect().await.map_err(fatal)?;
            }
            let leads = metrics.wait_for(|metrics| metrics.current_leader == Some(running.id));
            // Health reports a longer delay.
            let _ = tokio::time::timeout(LEADING, leads).await;
        }
        Ok(())
    }

    /// Stops pending changes and Raft; the data are on disk.
    pub(super) async fn stop(&self) {
        let mut changes = std::mem::take(&mut *self.changes());
        changes.shutdown().await;
        self.end().await;
    }

    /// Raft's data directory; empty before the node has started.
    pub(super) fn directory(&self) -> &Path {
        self.setup.get().map_or_else(|| Path::new(""), |setup| &setup.directory)
    }

    /// Stops the Raft that has failed according to `has_failed`, and starts another with the data on disk, unless that was
    /// done meanwhile.
    ///
    /// # Errors
    /// When the storage cannot be opened. No Raft runs then, and callers are told why.
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
            tracing::warn!(%error, "Raft did not shut down cleanly");
        }
    }

    /// Changes the node's cluster, after pending changes are complete.
    ///
    /// # Errors
    /// Those of the change; `Unavailable` when the node stops first.
    ///
    /// # Cancel safety
    /// Safe: a change that has begun continues. Half a change would leave a node in no cluster, or a cluster with a
    /// missing member.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let (tell, told) = oneshot::channel();
        let changing = self.changing.clone();
        let task = async move {
            let _changing = changing.lock().await;
            if !tell.is_closed() {
                // The caller may have left.
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

    fn changes(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.changes.lock()
    }

    /// Forms a cluster of this node alone, unless it is in one.
    pub(super) async fn form(&self) -> Result<(), Status> {
        let mut running = self.handle.running()?;
        if !running.raft.is_initialized().await.map_err(fatal)? {
            if running.store.cluster().is_some() {
                // It had asked to join a cluster, which may still admit it.
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
            Err(error) => return Err(Status::internal(format!("the cluster cannot be formed: {error}"))),
        }
        // Raft's metrics lag behind the call.
        let formed =
            async { running.raft.metrics().wait_for(|metrics| !voters(metrics).is_empty()).await.is_ok() };
        let _ = tokio::time::timeout(LEADING, formed).await;
        self.lead_alone().await
    }

    /// Forms a cluster of this node alone.
    ///
    /// # Errors
    /// `AlreadyExists` where the node is in a cluster.
    pub(super) async fn form_new(&self) -> Result<(), Status> {
        let metrics = self.handle.running()?.metrics();
        match voters(&metrics).len() {
            0 => self.form().await,
            1 => {
                Err(Status::already_exists("this node already forms a cluster of its own; nothing was done"))
            }
            members => Err(Status::already_exists(format!(
                "this node is already in a cluster of {members} members; nothing was done"
            ))),
        }
    }

    /// Restarts Raft without data, in no cluster.
    pub(super) async fn begin_anew(&self) -> Result<(), Status> {
        self.begin_without_data(false).await
    }

    /// The same, where the data before were lost.
    pub(super) async fn begin_after_loss(&self) -> Result<(), Status> {
        self.begin_without_data(true).await
    }

    async fn begin_without_data(&self, is_lost: bool) -> Result<(), Status> {
        let failed = |error: StoreError| Status::internal(error.to_string());
        let setup = self.setup.get().ok_or_else(|| Status::unavailable("this node has not started"))?;
        let store = self.handle.running().ok().map(|running| running.store.clone());
        self.end().await;
        let (directory, unmade) = (setup.directory.clone(), setup.unmade.clone());
        // Readers of the old files may continue; new files take their place.
        let clearing = move || {
            if let Some(store) = store {
                store.retire();
            }
            // A crash before the new files are there is no loss.
            let marked = if is_lost { unmade.clear() } else { unmade.set() };
            marked.map_err(|source| StoreError::Disk { path: directory.clone(), source })?;
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

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};
    use polywire::Health;

    use super::*;

    #[tokio::test]
    async fn a_change_that_has_begun_continues_without_its_caller() {
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
        let given_up = lifecycle.change::<()>(async { panic!("this change has no caller") });
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
