use std::{fmt::Debug, io, ops::RangeBounds, sync::Arc};

use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogId, LogState, OptionalSend, RaftLogId as _, RaftLogReader,
    StorageError, StorageIOError, Vote,
    storage::{LogFlushed, RaftLogStorage},
};
use redb::{Durability, ReadableTable as _, TableDefinition, WriteTransaction};
use tokio::task::spawn_blocking;

use super::{
    StoreError,
    file::{File, META},
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
pub struct LogStore(Arc<File>);

impl LogStore {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self(file)
    }

    /// Does this with the file where it may block.
    async fn with<T: Send + 'static>(
        &self,
        (subject, verb): (ErrorSubject<u64>, ErrorVerb),
        work: impl FnOnce(&File) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StorageError<u64>> {
        let file = self.0.clone();
        let outcome = spawn_blocking(move || work(&file)).await;
        let failed = |error: AnyError| StorageIOError::new(subject.clone(), verb, error).into();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| failed(AnyError::error(error))),
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
        self.with(READ, |file| {
            file.read(|transaction| {
                let last_purged_log_id = file.get(transaction, PURGED)?;
                let table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                let last = table.last().map_err(|error| file.failed(error))?;
                let last =
                    last.map(|(_, entry)| file.decode::<Entry<TypeConfig>>(entry.value())).transpose()?;
                let last_log_id = last.map(|entry| *entry.get_log_id()).or(last_purged_log_id);
                Ok(LogState { last_purged_log_id, last_log_id })
            })
        })
        .await
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let vote = *vote;
        self.with((ErrorSubject::Vote, ErrorVerb::Write), move |file| {
            file.write(Durability::Immediate, |transaction| file.put(transaction, VOTE, &vote))
        })
        .await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        self.with((ErrorSubject::Vote, ErrorVerb::Read), |file| {
            file.read(|transaction| file.get(transaction, VOTE))
        })
        .await
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
        let entries: Vec<_> = entries.into_iter().collect();
        let written = self
            .with(WRITE, move |file| {
                file.write(Durability::Immediate, |transaction| {
                    let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                    for entry in &entries {
                        let index = entry.log_id.index;
                        table.insert(index, &*file.encode(entry)?).map_err(|error| file.failed(error))?;
                    }
                    Ok(())
                })
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
        self.with(DELETE, move |file| {
            file.write(Durability::Immediate, |transaction| {
                let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                table.retain_in(log_id.index.., |_, _| false).map_err(|error| file.failed(error))
            })
        })
        .await
    }

    async fn purge(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        self.with(DELETE, move |file| {
            file.write(Durability::Immediate, |transaction| {
                file.put(transaction, PURGED, &log_id)?;
                let mut table = transaction.open_table(ENTRIES).map_err(|error| file.failed(error))?;
                table.retain_in(..=log_id.index, |_, _| false).map_err(|error| file.failed(error))
            })
        })
        .await
    }
}
