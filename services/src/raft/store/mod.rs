//! What a member keeps on disk: the log, the vote and the state machine, in `redb` files below the data
//! directory.
//!
//! Everything that Raft acknowledges is on disk before: a write of the log or of the vote returns after its `fsync`.
//! The state machine is derived from the log, so its file may be some entries behind after a crash, and catches up by
//! applying them again; it is on disk before the entries that it came from leave the log. Entries may leave it too
//! because a snapshot of another member stands for them. That one is on disk before Raft hears of it, and a start
//! finishes what a crash kept from being done with it.

mod changes;
mod disk;
mod error;
mod file;
mod identity;
mod log;
mod machine;
mod reader;
mod receipt;
mod snapshot;
mod snapshots;
mod state;
mod tail;

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use polywire::{Status, node::DiskSpace};

pub(in crate::raft) use self::tail::{CEILING, Tail};
pub use self::{
    changes::{Change, Changes, Missed},
    error::StoreError,
    log::LogStore,
    machine::StateMachine,
    reader::KvReader,
    receipt::{Receipt, Received},
    state::Stored,
};
pub(crate) use self::{disk::DiskFailure, state::RESERVED};
use self::{file::File, identity::Identity, snapshots::Snapshots, state::KvState};

/// The storage of one node. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    log: Arc<File>,
    tail: Arc<Mutex<Tail>>,
    state: Arc<KvState>,
    identity: Identity,
}

impl Store {
    /// Opens what is in this directory, or makes it where there is no such directory.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// When a file cannot be opened, is not whole, is of another version of this format, or is in use by another
    /// process. Nothing is changed then.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_or_lose(directory, false)
    }

    /// As [`open`](Self::open). Where there is no such directory although `had_data`, the one that is made says that its data
    /// are lost.
    pub(super) fn open_or_lose(directory: &Path, had_data: bool) -> Result<Self, StoreError> {
        if !directory.exists() {
            Self::make(directory, had_data)?;
        }
        let log = File::open(directory.join(LOG), log::FORMAT)?;
        let file = File::open(directory.join(STATE), state::FORMAT)?;
        let state = KvState::new(file, Snapshots::open(directory.join(SNAPSHOTS))?);
        let log = Arc::new(log);
        let has_something = log::has_something(&log)? || state.applied()?.is_some();
        let identity = Identity::open(log.clone(), has_something)?;
        let tail = Arc::new(Mutex::new(log::tail(&log)?));
        let store = Self { log, tail, state: Arc::new(state), identity };
        store.finish()?;
        store.check()?;
        store.check_numbers()?;
        store.tidy()?;
        Self::remove_unfinished(directory);
        Ok(store)
    }

    /// Removes what a killed process has left beside the directory: one that it had not come to move there, and one that it
    /// had not come to remove. The files of the directory itself are this process's by now.
    fn remove_unfinished(directory: &Path) {
        for path in ["new", "old"].map(|extension| directory.with_extension(extension)) {
            if path.is_dir()
                && let Err(error) = std::fs::remove_dir_all(&path)
            {
                tracing::warn!(path = %path.display(), %error, "a leftover directory cannot be removed");
            }
        }
    }

    /// Installs the snapshot that a crash has kept from being installed: Raft empties the log before that is done.
    fn finish(&self) -> Result<(), StoreError> {
        let purged = log::purged(&self.log)?;
        if purged <= self.state.applied()? {
            return Ok(());
        }
        let name = snapshots::name(purged);
        let path = self.state.snapshots().at(&name);
        if !path.exists() {
            return Ok(());
        }
        let failed = |source| StoreError::disk(&path, source);
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        let head = match snapshot::inspect(&self.state.file, &mut file) {
            // Then entries are missing, which is what is said of it.
            Err(StoreError::Snapshot { .. }) => return Ok(()),
            head => head?,
        };
        let meta = openraft::SnapshotMeta {
            last_log_id: head.applied,
            last_membership: head.membership,
            snapshot_id: name,
        };
        machine::install(&self.state, meta, file)
    }

    /// What the operating system refuses, once it does: the file takes no more writes then, and must be opened again.
    pub(super) fn disk_failure(&self) -> DiskFailure {
        DiskFailure::of([self.log.refused(), self.state.file.refused()])
    }

    /// What is wrong with the data, or contradicts them, once Raft has met it: a restart of Raft would meet it again.
    pub(super) fn damage(&self) -> Option<&str> {
        self.log.damaged().or_else(|| self.state.file.damaged())
    }

    /// The id of the cluster that this node has formed or asked to join; empty for a cluster of an older version, which
    /// has none. `None` for a node that has done neither, or has lost its data.
    pub fn cluster(&self) -> Option<Arc<str>> {
        self.identity.cluster()
    }

    /// This run of the node's process has the data from now on.
    ///
    /// Blocks on the disk.
    pub(super) fn begin_run(&self, incarnation: u64) -> Result<(), StoreError> {
        self.identity.begin(incarnation)
    }

    /// The runs of the node's process that have had the data, the oldest first. Two that come from one data directory, of
    /// which each has been written to since, do not have each other.
    pub(super) fn lineage(&self) -> Arc<[u64]> {
        self.identity.lineage()
    }

    /// Why the cluster keeps this data out: it is not what the member had. `None` where it does not.
    pub(crate) fn refused(&self) -> Option<Arc<str>> {
        self.identity.refused()
    }

    /// From now on the cluster keeps this data out. Waits for the disk.
    pub(super) async fn refuse(&self, reason: &str) -> Result<(), StoreError> {
        self.identity.refuse(reason).await
    }

    /// Whether the data before these are lost, and the node has formed no cluster since. Raft knows whether it has joined one.
    pub(crate) fn is_lost(&self) -> bool {
        self.identity.is_lost()
    }

    /// Sets the cluster that this node belongs to. Waits for the disk.
    ///
    /// # Errors
    /// When the disk cannot be written.
    ///
    /// # Cancel safety
    /// Not safe: the write goes on, and the file may have the id while this store still returns the old one.
    pub async fn join_cluster(&self, id: &str) -> Result<(), StoreError> {
        self.identity.set(id).await
    }

    /// Sets a new cluster id, drawn at random. Waits for the disk.
    ///
    /// # Errors
    /// When the disk cannot be written.
    ///
    /// # Cancel safety
    /// Not safe: the write goes on, and the file may have the id while this store still returns the old one.
    pub async fn found_cluster(&self) -> Result<(), StoreError> {
        self.identity.set(&identity::random()).await?;
        self.identity.forget_loss().await
    }

    /// Removes unused snapshots.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        let _publishing = self.state.snapshots().publish()?;
        self.state.tidy()
    }

    /// Leaves the directory to another store: a snapshot that is still under way here comes to nothing.
    ///
    /// Blocks until nothing is being done there.
    pub(super) fn retire(&self) {
        self.state.snapshots().retire();
    }

    /// Whether a snapshot of so many bytes fits on the disk: its file, and what it becomes in the database.
    ///
    /// # Errors
    /// `ResourceExhausted`, not processed, where it does not.
    pub(super) fn has_room(&self, size: u64) -> Result<(), Status> {
        let Ok(space) = DiskSpace::of(self.state.snapshots().path()) else { return Ok(()) };
        let needed = size.saturating_mul(2).saturating_add(RESERVE);
        match needed <= space.available_bytes {
            true => Ok(()),
            false => Err(Status::resource_exhausted(format!(
                "a snapshot of {size} bytes takes {needed} of the disk, which has {} free",
                space.available_bytes
            ))
            .not_processed()),
        }
    }

    /// Begins to receive a snapshot of another member.
    ///
    /// # Errors
    /// When the disk cannot be written.
    ///
    /// # Cancel safety
    /// Safe: the file of a dropped call is removed.
    pub async fn receive(&self) -> Result<Receipt, StoreError> {
        Receipt::begin(self.state.clone()).await
    }

    /// Makes the files beside the directory and moves them there together, so that there is never a part of them.
    fn make(directory: &Path, is_lost: bool) -> Result<(), StoreError> {
        let unfinished = directory.with_extension("new");
        let failed = |source| StoreError::disk(&unfinished, source);
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(failed)?;
        }
        std::fs::create_dir_all(unfinished.join(SNAPSHOTS)).map_err(failed)?;
        let log = File::make(unfinished.join(LOG), log::FORMAT, log::make)?;
        if is_lost {
            identity::lose(&log)?;
        }
        drop(log);
        File::make(unfinished.join(STATE), state::FORMAT, state::make)?;
        file::sync(&unfinished).map_err(failed)?;
        std::fs::rename(&unfinished, directory).map_err(|source| StoreError::disk(directory, source))?;
        match directory.parent() {
            Some(parent) => file::sync(parent).map_err(|source| StoreError::disk(parent, source)),
            None => Ok(()),
        }
    }

    /// The log must reach back to where the state machine is, or entries would be missing for ever.
    fn check(&self) -> Result<(), StoreError> {
        let purged = log::purged(&self.log)?;
        let applied = self.state.applied()?;
        if purged > applied {
            let problem = format!(
                "the log starts after {}, but the state machine has only reached {}",
                shown(purged.map(|id| id.index)),
                shown(applied.map(|id| id.index)),
            );
            return Err(StoreError::broken(self.state.path(), problem));
        }
        Ok(())
    }

    /// Raft cannot count on from numbers that only a faulty member has: an older version took any.
    fn check_numbers(&self) -> Result<(), StoreError> {
        let vote = log::vote(&self.log)?.map(|vote| vote.leader_id.term);
        let last = self.tail.lock().last;
        let numbers = [("the vote is of the term", vote), ("the log ends at", last.map(|last| last.index))];
        match numbers.into_iter().find(|(_, number)| number.is_some_and(|number| number >= CEILING)) {
            Some((what, number)) => {
                let problem = format!("{what} {}, expected one below 2^62", number.unwrap_or_default());
                Err(StoreError::broken(self.log.path(), problem))
            }
            None => Ok(()),
        }
    }

    /// The log and the vote, for Raft.
    pub fn log(&self) -> LogStore {
        LogStore::new(self.log.clone(), self.tail.clone())
    }

    /// The state machine, for Raft.
    pub fn state_machine(&self) -> StateMachine {
        StateMachine::new(self.state.clone())
    }

    /// The key-value store, for reading.
    pub fn reader(&self) -> KvReader {
        KvReader::new(self.state.clone())
    }

    /// Writes to both files and waits for the disk.
    ///
    /// # Errors
    /// Why they cannot be written, as text for an operator.
    ///
    /// # Cancel safety
    /// Safe: a probe that has begun goes on, and its result is lost.
    pub async fn probe(&self) -> Result<(), String> {
        let store = self.clone();
        let probing = tokio::task::spawn_blocking(move || {
            store.log.probe()?;
            store.state.probe()
        });
        probing.await.map_err(|error| error.to_string())?.map_err(|error: StoreError| error.to_string())
    }
}

fn shown(index: Option<u64>) -> String {
    index.map_or_else(|| "the beginning".to_owned(), |index| format!("entry {index}"))
}

/// So many bytes of the disk a snapshot leaves to the log.
const RESERVE: u64 = 1 << 20;

const LOG: &str = "log.redb";
const STATE: &str = "state.redb";
const SNAPSHOTS: &str = "snapshots";

#[cfg(test)]
mod tests;
