use std::{
    fmt::Debug,
    io,
    ops::{RangeBounds, RangeInclusive},
    sync::Arc,
};

use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogId, LogState, OptionalSend, RaftLogReader, StorageError,
    StorageIOError, Vote,
    storage::{LogFlushed, RaftLogStorage},
};
use parking_lot::Mutex;
use redb::{Durability, ReadableTable as _, TableDefinition, WriteTransaction};
use tokio::task::spawn_blocking;

use super::{
    StoreError,
    file::{File, META},
    tail::Tail,
};
use crate::raft::TypeConfig;

/// The version of what the file holds.
pub(super) const FORMAT: &str = "polywire.raft.log/1";

/// The entries, by their index.
const ENTRIES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("entries");

const VOTE: &str = "vote";
const PURGED: &str = "purged";

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::TableError> {
    transaction.open_table(META)?;
    transaction.open_table(ENTRIES)?;
    Ok(())
}

/// The last entry that has left the log.
pub(super) fn purged(file: &File) -> Result<Option<LogId<u64>>, StoreError> {
    file.read(|transaction| file.get(transaction, PURGED))
}

/// The end of the log.
pub(super) fn tail(file: &File) -> Result<Tail, StoreError> {
    file.read(|transaction| {
        let purged: Option<LogId<u64>> = file.get(transaction, PURGED)?;
        let table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
        let last = table.last().map_err(|error| file.failed(error))?;
        let last = last.map(|(_, entry)| id_of(file, entry.value())).transpose()?;
        Ok(Tail::new(purged, last))
    })
}

/// The vote, if there is one.
pub(super) fn vote(file: &File) -> Result<Option<Vote<u64>>, StoreError> {
    file.read(|transaction| file.get(transaction, VOTE))
}

fn id_of(file: &File, entry: &[u8]) -> Result<LogId<u64>, StoreError> {
    Ok(file.decode::<Entry<TypeConfig>>(entry)?.log_id)
}

/// Whether the node has voted, or has had an entry.
pub(super) fn has_something(file: &File) -> Result<bool, StoreError> {
    file.read(|transaction| {
        let vote: Option<Vote<u64>> = file.get(transaction, VOTE)?;
        let table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
        let last = table.last().map_err(|error| file.failed(error))?;
        Ok(vote.is_some() || last.is_some())
    })
}

/// The log and the vote, as Raft writes them. Clones share them.
#[derive(Clone, Debug)]
pub struct LogStore {
    file: Arc<File>,
    tail: Arc<Mutex<Tail>>,
    /// Whether entries need not follow one another, as in the library's own tests.
    #[cfg(test)]
    pub(super) takes_gaps: bool,
}

impl LogStore {
    pub(super) fn new(file: Arc<File>, tail: Arc<Mutex<Tail>>) -> Self {
        Self {
            file,
            tail,
            #[cfg(test)]
            takes_gaps: false,
        }
    }

    /// The end of the log, as it is on disk.
    pub(in crate::raft) fn tail(&self) -> Tail {
        *self.tail.lock()
    }

    /// The ids of the entries in this range.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(in crate::raft) async fn ids(
        &self,
        range: RangeInclusive<u64>,
    ) -> Result<Vec<LogId<u64>>, StorageError<u64>> {
        self.with(READ, move |file| {
            file.read(|transaction| {
                let table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                let found = table.range::<u64>(range).map_err(|error| file.failed(error))?;
                found.map(|entry| id_of(file, entry.map_err(|error| file.failed(error))?.1.value())).collect()
            })
        })
        .await
    }

    /// The end of the log with these entries.
    fn grown(&self, entries: &[Entry<TypeConfig>]) -> Result<Tail, StoreError> {
        let mut tail = self.tail();
        for entry in entries {
            #[cfg(test)]
            if self.takes_gaps {
                tail = Tail::new(tail.purged, Some(entry.log_id));
                continue;
            }
            tail.push(entry.log_id).map_err(|problem| self.refused(problem))?;
        }
        Ok(tail)
    }

    fn refused(&self, problem: String) -> StoreError {
        StoreError::Refused { path: self.file.path().to_owned(), problem }
    }

    /// Does this with the file where it may block.
    async fn with<T: Send + 'static>(
        &self,
        (subject, verb): (ErrorSubject<u64>, ErrorVerb),
        work: impl FnOnce(&File) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StorageError<u64>> {
        let file = self.file.clone();
        let outcome = spawn_blocking(move || work(&file)).await;
        let failed = |error: AnyError| StorageIOError::new(subject.clone(), verb, error).into();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| {
                self.file.note(&error);
                failed(AnyError::error(error))
            }),
            Err(error) => Err(failed(AnyError::error(error))),
        }
    }
}

const READ: (ErrorSubject<u64>, ErrorVerb) = (ErrorSubject::Logs, ErrorVerb::Read);
const WRITE: (ErrorSubject<u64>, ErrorVerb) = (ErrorSubject::Logs, ErrorVerb::Write);
const DELETE: (ErrorSubject<u64>, ErrorVerb) = (ErrorSubject::Logs, ErrorVerb::Delete);

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<u64>> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.with(READ, move |file| {
            file.read(|transaction| {
                let table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                let found = table.range::<u64>(range).map_err(|error| file.failed(error))?;
                found
                    .map(|entry| {
                        let (_, entry) = entry.map_err(|error| file.failed(error))?;
                        file.decode(entry.value())
                    })
                    .collect()
            })
        })
        .await
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<u64>> {
        let tail = self.with(READ, tail).await?;
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let (vote, log) = (*vote, self.clone());
        self.with((ErrorSubject::Vote, ErrorVerb::Write), move |file| {
            let before = self::vote(file)?;
            if let Some(before) = before.filter(|before| *before > vote) {
                return Err(log.refused(format!("the vote {vote} is below {before}; votes do not fall")));
            }
            file.write(Durability::Immediate, |transaction| file.put(transaction, VOTE, &vote))
        })
        .await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        self.with((ErrorSubject::Vote, ErrorVerb::Read), vote).await
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (entries, log) = (Vec::from_iter(entries), self.clone());
        let written = self
            .with(WRITE, move |file| {
                let grown = log.grown(&entries)?;
                file.write(Durability::Immediate, |transaction| {
                    let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                    for entry in &entries {
                        let index = entry.log_id.index;
                        table.insert(index, &*file.encode(entry)?).map_err(|error| file.failed(error))?;
                    }
                    Ok(())
                })?;
                *log.tail.lock() = grown;
                Ok(())
            })
            .await;
        match written {
            Ok(()) => {
                flushed.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                flushed.log_io_completed(Err(io::Error::other(error.to_string())));
                Err(error)
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        let log = self.clone();
        self.with(DELETE, move |file| {
            let before = log.tail();
            if let Some(purged) = before.purged.filter(|purged| log_id.index <= purged.index) {
                return Err(log.refused(format!(
                    "entries from {log_id} on cannot be removed: those up to {purged} have left the log"
                )));
            }
            let last = file.write(Durability::Immediate, |transaction| {
                let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                table.retain_in(log_id.index.., |_, _| false).map_err(|error| file.failed(error))?;
                let last = table.last().map_err(|error| file.failed(error))?;
                last.map(|(_, entry)| id_of(file, entry.value())).transpose()
            })?;
            *log.tail.lock() = before.cut(log_id.index, last);
            Ok(())
        })
        .await
    }

    /// Entries leave the log that are in the state machine, or in a snapshot that takes its place: that one may be ahead of
    /// the whole log.
    async fn purge(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        let log = self.clone();
        self.with(DELETE, move |file| {
            let purged = log.tail().purge(log_id).map_err(|problem| log.refused(problem))?;
            file.write(Durability::Immediate, |transaction| {
                file.put(transaction, PURGED, &log_id)?;
                let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                table.retain_in(..=log_id.index, |_, _| false).map_err(|error| file.failed(error))
            })?;
            *log.tail.lock() = purged;
            Ok(())
        })
        .await
    }
}
