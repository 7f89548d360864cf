use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, PoisonError, RwLock},
};

use redb::Durability;
use tokio::task::spawn_blocking;

use super::{StoreError, file::File};

const CLUSTER: &str = "cluster";

/// Which cluster the node belongs to: the one that it has formed or asked to join, and no other. It is kept beside the
/// vote, so that a node that has lost its vote does not know its cluster either. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    file: Arc<File>,
    cluster: Arc<RwLock<Option<Arc<str>>>>,
}

impl Identity {
    /// What the file says. A node that has something, and had it before clusters had ids, is in one without.
    pub(super) fn open(file: Arc<File>, has_something: bool) -> Result<Self, StoreError> {
        let kept: Option<String> = file.read(|transaction| file.get(transaction, CLUSTER))?;
        let cluster = kept.or_else(|| has_something.then(String::new));
        Ok(Self { file, cluster: Arc::new(RwLock::new(cluster.map(Arc::from))) })
    }

    pub(super) fn cluster(&self) -> Option<Arc<str>> {
        self.cluster.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the disk.
    pub(super) async fn set(&self, cluster: &str) -> Result<(), StoreError> {
        let (file, kept) = (self.file.clone(), cluster.to_owned());
        let writing = spawn_blocking(move || {
            file.write(Durability::Immediate, |transaction| file.put(transaction, CLUSTER, &kept))
        });
        let written = writing.await.map_err(|error| StoreError::disk(self.file.path(), error.into()));
        written??;
        *self.cluster.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::from(cluster));
        Ok(())
    }
}

/// An id that no other cluster has.
pub(super) fn random() -> String {
    // Each is seeded by the operating system.
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}
