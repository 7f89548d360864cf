use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use openraft::{Entry, EntryPayload, LogId, SnapshotMeta, StoredMembership};
use redb::{Durability, ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Change, StoreError,
    changes::Latest,
    file::{File, META},
    snapshots::Snapshots,
};
use crate::raft::{Command, Member, Outcome, TypeConfig};

/// The version of what the file holds.
pub(super) const FORMAT: &str = "polywire.raft.state/1";

/// The key-value store.
pub(super) const KEYS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("keys");

/// What has become of the latest writes that had a request id.
pub(super) const REQUESTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("requests");

/// Their ids, in the order in which they came.
pub(super) const ORDER: TableDefinition<'static, u64, &str> = TableDefinition::new("request order");

/// What the keys of the cluster itself begin with. They are in the same table as those of users, so that snapshots have
/// them, and no service of the key-value store reads or writes them.
pub(crate) const RESERVED: &str = "\0polywire/";

pub(super) const APPLIED: &str = "applied";
pub(super) const MEMBERSHIP: &str = "membership";
pub(super) const REVISION: &str = "revision";
const SNAPSHOT: &str = "snapshot";

/// How many writes with a request id are remembered: one that is sent again later is applied again.
pub(super) const WINDOW: u64 = 65_536;

/// After so many commits, one waits for the disk: the others stay in memory until then.
const COMMITS: u32 = 256;

pub(super) type Membership = StoredMembership<u64, Member>;

/// A key's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The value.
    pub value: Bytes,
    /// The revision of the store when it was last written.
    pub revision: u64,
    /// The revision of the store when the key came to be.
    pub created: u64,
}

/// A snapshot that is kept: its file's name below the directory of snapshots, and what it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) meta: SnapshotMeta<u64, Member>,
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::TableError> {
    transaction.open_table(META)?;
    transaction.open_table(KEYS)?;
    transaction.open_table(REQUESTS)?;
    transaction.open_table(ORDER)?;
    Ok(())
}

/// The state machine's file.
#[derive(Debug)]
pub(super) struct KvState {
    pub(super) file: File,
    snapshots: Snapshots,
    changes: Latest,
    /// How many changes of reserved keys there have been.
    reserved: watch::Sender<u64>,
    commits: AtomicU32,
}

impl KvState {
    pub(super) fn new(file: File, snapshots: Snapshots) -> Self {
        Self {
            file,
            snapshots,
            changes: Latest::new(),
            reserved: watch::Sender::new(0),
            commits: AtomicU32::new(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    pub(super) fn changes(&self) -> &Latest {
        &self.changes
    }

    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.file.probe()
    }

    pub(super) fn applied(&self) -> Result<Option<LogId<u64>>, StoreError> {
        self.file.read(|transaction| self.file.get(transaction, APPLIED))
    }

    pub(super) fn membership(&self) -> Result<Membership, StoreError> {
        self.file.read(|transaction| Ok(self.file.get(transaction, MEMBERSHIP)?.unwrap_or_default()))
    }

    /// Applies the entries, all of them or none.
    pub(super) fn apply(&self, entries: Vec<Entry<TypeConfig>>) -> Result<Vec<Outcome>, StoreError> {
        let mut changes = Vec::new();
        let outcomes = self.file.write(self.durability(), |transaction| {
            let mut machine = Machine::new(&self.file, transaction, &mut changes)?;
            let mut outcomes = Vec::with_capacity(entries.len());
            let mut applied = None;
            for entry in entries {
                applied = Some(entry.log_id);
                outcomes.push(match entry.payload {
                    EntryPayload::Blank => Outcome::None,
                    EntryPayload::Normal(command) => machine.write(command)?,
                    EntryPayload::Membership(membership) => {
                        let stored = Membership::new(applied, membership);
                        self.file.put(transaction, MEMBERSHIP, &stored)?;
                        Outcome::None
                    }
                });
            }
            machine.finish()?;
            if let Some(applied) = applied {
                self.file.put(transaction, APPLIED, &applied)?;
            }
            Ok(outcomes)
        })?;
        for change in changes {
            self.publish(change);
        }
        Ok(outcomes)
    }

    /// Tells watchers of a change: those of users, or those of the cluster itself, or both.
    pub(super) fn publish(&self, change: Change) {
        let is_reserved = match &change {
            Change::Written { key, .. } => Some(key.starts_with(RESERVED)),
            Change::Replaced => None,
        };
        if is_reserved != Some(false) {
            self.reserved.send_modify(|count| *count += 1);
        }
        if is_reserved != Some(true) {
            self.changes.push(change);
        }
    }

    /// Changes with each change of a reserved key.
    pub(super) fn reserved(&self) -> watch::Receiver<u64> {
        self.reserved.subscribe()
    }

    /// The log has what is lost with a crash, so most commits need not wait for the disk.
    fn durability(&self) -> Durability {
        match self.commits.fetch_add(1, Ordering::Relaxed) % COMMITS {
            0 => Durability::Immediate,
            _ => Durability::None,
        }
    }

    pub(super) fn kept(&self) -> Result<Option<Kept>, StoreError> {
        self.file.read(|transaction| self.file.get(transaction, SNAPSHOT))
    }

    pub(super) fn keep(&self, transaction: &WriteTransaction, kept: &Kept) -> Result<(), StoreError> {
        self.file.put(transaction, SNAPSHOT, kept)
    }

    /// Removes unused snapshots. The caller holds the publishing lock.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        self.snapshots.tidy(self.kept()?.map(|kept| kept.name).as_deref())
    }
}

/// The key-value store while entries are applied to it.
struct Machine<'a> {
    file: &'a File,
    transaction: &'a WriteTransaction,
    changes: &'a mut Vec<Change>,
    revision: u64,
    before: u64,
}

impl<'a> Machine<'a> {
    fn new(
        file: &'a File,
        transaction: &'a WriteTransaction,
        changes: &'a mut Vec<Change>,
    ) -> Result<Self, StoreError> {
        let table = transaction.open_table(META).map_err(|error| file.failed(error))?;
        let found = table.get(REVISION).map_err(|error| file.failed(error))?;
        let revision = found.map(|value| file.decode(value.value())).transpose()?.unwrap_or(0);
        Ok(Self { file, transaction, changes, revision, before: revision })
    }

    fn write(&mut self, command: Command) -> Result<Outcome, StoreError> {
        let request_id = command.request_id.clone();
        if let Some(id) = &request_id
            && let Some(outcome) = self.answered(id)?
        {
            return Ok(outcome);
        }
        let outcome = self.put(command)?;
        if let Some(id) = &request_id {
            self.remember(id, outcome)?;
        }
        Ok(outcome)
    }

    fn put(&mut self, command: Command) -> Result<Outcome, StoreError> {
        let Command { key, value, expected_revision, request_id: _ } = command;
        let mut table = self.transaction.open_table(KEYS).map_err(|error| self.file.failed(error))?;
        let found = table.get(&*key).map_err(|error| self.file.failed(error))?;
        let found: Option<Stored> = found.map(|stored| self.file.decode(stored.value())).transpose()?;
        let actual = found.as_ref().map_or(0, |stored| stored.revision);
        if expected_revision.is_some_and(|expected| expected != actual) {
            return Ok(Outcome::Conflict { revision: actual });
        }
        let existed = found.is_some();
        if value.is_none() && !existed {
            return Ok(Outcome::Written { revision: self.revision, existed });
        }
        self.revision += 1;
        let revision = self.revision;
        match &value {
            Some(value) => {
                let created = found.map_or(revision, |stored| stored.created);
                let stored = Stored { value: value.clone(), revision, created };
                table.insert(&*key, &*self.file.encode(&stored)?).map_err(|error| self.file.failed(error))?;
            }
            None => {
                table.remove(&*key).map_err(|error| self.file.failed(error))?;
            }
        }
        self.changes.push(Change::Written { key, value, revision });
        Ok(Outcome::Written { revision, existed })
    }

    /// What the write with this id came to, where it is remembered.
    fn answered(&self, id: &str) -> Result<Option<Outcome>, StoreError> {
        let table = self.transaction.open_table(REQUESTS).map_err(|error| self.file.failed(error))?;
        let found = table.get(id).map_err(|error| self.file.failed(error))?;
        found.map(|outcome| self.file.decode(outcome.value())).transpose()
    }

    fn remember(&self, id: &str, outcome: Outcome) -> Result<(), StoreError> {
        let failed = |error: redb::StorageError| self.file.failed(error);
        let mut requests = self.transaction.open_table(REQUESTS).map_err(|error| self.file.failed(error))?;
        let mut order = self.transaction.open_table(ORDER).map_err(|error| self.file.failed(error))?;
        let next = order.last().map_err(failed)?.map_or(0, |(last, _)| last.value() + 1);
        requests.insert(id, &*self.file.encode(&outcome)?).map_err(failed)?;
        order.insert(next, id).map_err(failed)?;
        let oldest = order.first().map_err(failed)?.map(|(first, id)| (first.value(), id.value().to_owned()));
        if let Some((first, id)) = oldest
            && next - first >= WINDOW
        {
            order.remove(first).map_err(failed)?;
            requests.remove(&*id).map_err(failed)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), StoreError> {
        match self.revision == self.before {
            true => Ok(()),
            false => self.file.put(self.transaction, REVISION, &self.revision),
        }
    }
}
