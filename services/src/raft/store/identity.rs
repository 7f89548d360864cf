use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::RwLock;
use redb::Durability;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::{StoreError, file::File};

const CLUSTER: &str = "cluster";
const LINEAGE: &str = "lineage";
const REFUSED: &str = "refused";
const LOST: &str = "lost";

/// How many runs are remembered. A node that was started more often than this since the others heard of it last is taken for
/// a copy.
const RUNS: usize = 1024;

/// Which cluster the node belongs to: the one that it has formed or asked to join, and no other. It is kept beside the
/// vote, so that a node that has lost its vote does not know its cluster either. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    file: Arc<File>,
    cluster: Arc<RwLock<Option<Arc<str>>>>,
    /// The runs of the process that have had this data, the oldest first.
    lineage: Arc<RwLock<Arc<[u64]>>>,
    /// Why the cluster keeps this data out.
    refused: Arc<RwLock<Option<Arc<str>>>>,
    /// Whether there were data before these, which are lost.
    lost: Arc<AtomicBool>,
}

impl Identity {
    /// What the file says. A node that has something, and had it before clusters had ids, is in one without.
    pub(super) fn open(file: Arc<File>, has_something: bool) -> Result<Self, StoreError> {
        let kept: Option<String> = file.read(|transaction| file.get(transaction, CLUSTER))?;
        let cluster = kept.or_else(|| has_something.then(String::new));
        let lineage: Option<Vec<u64>> = file.read(|transaction| file.get(transaction, LINEAGE))?;
        let refused: Option<String> = file.read(|transaction| file.get(transaction, REFUSED))?;
        let lost: Option<bool> = file.read(|transaction| file.get(transaction, LOST))?;
        Ok(Self {
            lost: Arc::new(lost.unwrap_or_default().into()),
            file,
            cluster: Arc::new(RwLock::new(cluster.map(Arc::from))),
            lineage: Arc::new(RwLock::new(lineage.unwrap_or_default().into())),
            refused: Arc::new(RwLock::new(refused.map(Arc::from))),
        })
    }

    /// This run of the process has the data from now on. Blocks on the disk.
    pub(super) fn begin(&self, incarnation: u64) -> Result<(), StoreError> {
        let mut lineage = self.lineage().to_vec();
        if lineage.last() == Some(&incarnation) {
            return Ok(());
        }
        lineage.push(incarnation);
        lineage.drain(..lineage.len().saturating_sub(RUNS));
        self.file
            .write(Durability::Immediate, |transaction| self.file.put(transaction, LINEAGE, &lineage))?;
        *self.lineage.write() = lineage.into();
        Ok(())
    }

    pub(super) fn lineage(&self) -> Arc<[u64]> {
        self.lineage.read().clone()
    }

    pub(super) fn refused(&self) -> Option<Arc<str>> {
        self.refused.read().clone()
    }

    /// Waits for the disk. It holds in memory where the disk cannot be written.
    pub(super) async fn refuse(&self, reason: &str) -> Result<(), StoreError> {
        *self.refused.write() = Some(Arc::from(reason));
        self.put(REFUSED, reason.to_owned()).await
    }

    async fn put<T: Serialize + Send + 'static>(
        &self,
        name: &'static str,
        value: T,
    ) -> Result<(), StoreError> {
        let file = self.file.clone();
        let writing = spawn_blocking(move || {
            file.write(Durability::Immediate, |transaction| file.put(transaction, name, &value))
        });
        writing.await.map_err(|error| StoreError::disk(self.file.path(), error.into()))?
    }

    /// Whether the data before these are lost, and no cluster was founded since.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Begins without the lost data. Waits for the disk.
    pub(super) async fn forget_loss(&self) -> Result<(), StoreError> {
        if self.is_lost() {
            self.put(LOST, false).await?;
            self.lost.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn cluster(&self) -> Option<Arc<str>> {
        self.cluster.read().clone()
    }

    /// Waits for the disk.
    pub(super) async fn set(&self, cluster: &str) -> Result<(), StoreError> {
        self.put(CLUSTER, cluster.to_owned()).await?;
        *self.cluster.write() = Some(Arc::from(cluster));
        Ok(())
    }
}

/// Says in a new file that the data before are lost. Blocks on the disk.
pub(super) fn lose(file: &File) -> Result<(), StoreError> {
    file.write(Durability::Immediate, |transaction| file.put(transaction, LOST, &true))
}

/// An id that no other cluster has.
pub(super) fn random() -> String {
    // Each is seeded by the operating system.
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}
