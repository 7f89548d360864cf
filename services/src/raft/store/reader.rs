use std::sync::Arc;

use tokio::{sync::watch, task::spawn_blocking};

use super::{
    Changes, StoreError,
    state::{KEYS, KvState, RESERVED, REVISION, Stored},
};

/// The key-value store of this node, for reading. What it says is what this node has applied, which may be behind
/// the leader. Clones share it.
#[derive(Clone, Debug)]
pub struct KvReader(Arc<KvState>);

impl KvReader {
    pub(super) fn new(state: Arc<KvState>) -> Self {
        Self(state)
    }

    /// The value of this key.
    ///
    /// # Errors
    /// When the disk cannot be read.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn get(&self, key: String) -> Result<Option<Stored>, StoreError> {
        self.with(move |state| {
            state.file.read(|transaction| {
                let table = transaction.open_table(KEYS).map_err(|error| state.file.failed(error))?;
                let found = table.get(&*key).map_err(|error| state.file.failed(error))?;
                found.map(|stored| state.file.decode(stored.value())).transpose()
            })
        })
        .await
    }

    /// The keys that begin with `prefix`, in their order and from behind `after` on: at most `limit` of them, and no
    /// more once their values and keys weigh `max_bytes`, but one at least. Says too whether there are more, and the
    /// revision of the store that all of this is of.
    ///
    /// # Errors
    /// When the disk cannot be read.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn list(
        &self,
        prefix: String,
        after: Option<String>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Page, StoreError> {
        self.with(move |state| {
            state.file.read(|transaction| {
                let revision = state.file.get(transaction, REVISION)?.unwrap_or(0);
                let table = transaction.open_table(KEYS).map_err(|error| state.file.failed(error))?;
                let from = after.as_deref().filter(|after| *after > &*prefix).unwrap_or(&prefix);
                let mut page = Page { keys: Vec::new(), more: false, revision };
                let mut bytes = 0;
                for found in table.range(from..).map_err(|error| state.file.failed(error))? {
                    let (key, stored) = found.map_err(|error| state.file.failed(error))?;
                    let key = key.value();
                    if !key.starts_with(&*prefix) {
                        break;
                    }
                    let is_hidden = key.starts_with(RESERVED) && !prefix.starts_with(RESERVED);
                    if is_hidden || after.as_deref() == Some(key) {
                        continue;
                    }
                    let stored: Stored = state.file.decode(stored.value())?;
                    bytes += key.len() + stored.value.len();
                    page.more = page.keys.len() >= limit || (bytes > max_bytes && !page.keys.is_empty());
                    if page.more {
                        break;
                    }
                    page.keys.push((key.to_owned(), stored));
                }
                Ok(page)
            })
        })
        .await
    }

    /// The revision of the store: how many writes it has seen.
    ///
    /// # Errors
    /// When the disk cannot be read.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        self.with(|state| {
            state.file.read(|transaction| Ok(state.file.get(transaction, REVISION)?.unwrap_or(0)))
        })
        .await
    }

    /// Changes with each change of a key that the cluster itself keeps.
    pub(in crate::raft) fn reserved_changes(&self) -> watch::Receiver<u64> {
        self.0.reserved()
    }

    /// The changes from now on, in their order.
    pub fn changes(&self) -> Changes {
        self.0.changes().watch()
    }

    async fn with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&KvState) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let state = self.0.clone();
        let path = state.path().to_owned();
        let reading = spawn_blocking(move || read(&state));
        reading.await.unwrap_or_else(|error| Err(StoreError::disk(&path, std::io::Error::other(error))))
    }
}

/// Some keys of the store, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys and what they hold, in the order of the keys.
    pub keys: Vec<(String, Stored)>,
    /// Whether there are more behind the last.
    pub more: bool,
    /// The revision of the store.
    pub revision: u64,
}
