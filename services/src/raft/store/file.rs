use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use polywire::__private::catch;
use redb::{Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

/// One database file. What it says of itself is in a table of its own.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    database: Database,
    /// What the operating system refused first: from then on the database says only that there was something.
    refused: Arc<OnceLock<String>>,
    /// What is wrong with what the file holds, or with what was to be written to it, once that was met.
    damaged: OnceLock<String>,
}

/// Single values, by name.
pub(super) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const PROBE: &str = "probe";

impl File {
    /// Makes the file with its tables.
    pub(super) fn make(
        path: PathBuf,
        format: &str,
        tables: impl FnOnce(&WriteTransaction) -> Result<(), redb::TableError>,
    ) -> Result<Self, StoreError> {
        let database = Database::create(&path).map_err(|error| StoreError::database(&path, error))?;
        let file = Self { path, database, refused: Arc::default(), damaged: OnceLock::new() };
        file.write(Durability::Immediate, |transaction| {
            tables(transaction).map_err(|error| file.failed(error))?;
            file.put(transaction, FORMAT, &format)
        })?;
        Ok(file)
    }

    /// Opens the file, which must be there and whole.
    pub(super) fn open(path: PathBuf, format: &str) -> Result<Self, StoreError> {
        let length = fs::metadata(&path).map_err(|source| StoreError::disk(&path, source))?.len();
        if length == 0 {
            return Err(StoreError::broken(&path, "is empty, expected a database"));
        }
        // What is not the database's own may trip over an assertion of its.
        let opened = catch(|| Database::open(&path));
        let Ok(opened) = opened.inspect_err(|panic| panic.say("the database")) else {
            return Err(StoreError::broken(&path, "is damaged or truncated"));
        };
        let database = opened.map_err(|error| match StoreError::database(&path, error) {
            StoreError::Disk { source, .. }
                if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                StoreError::broken(&path, format!("is damaged or truncated ({source})"))
            }
            error => error,
        })?;
        let file = Self { path, database, refused: Arc::default(), damaged: OnceLock::new() };
        let found: Option<String> = file.read(|transaction| file.get(transaction, FORMAT))?;
        match found {
            Some(found) if found == format => Ok(file),
            found => {
                let found = found.as_deref().unwrap_or("none");
                let problem = format!("is of the format {found}, expected {format}");
                Err(StoreError::broken(&file.path, problem))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the database says, of this file.
    pub(super) fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        match (error.into(), self.refused.get()) {
            (redb::Error::PreviousIo, Some(cause)) => {
                StoreError::Stopped { path: self.path.clone(), cause: cause.clone() }
            }
            (error, _) => {
                if let redb::Error::Io(source) = &error {
                    self.refused.get_or_init(|| source.to_string());
                }
                StoreError::database(&self.path, error)
            }
        }
    }

    /// Notes an error that a restart would meet again.
    pub(super) fn note(&self, error: &StoreError) {
        if matches!(error, StoreError::Broken { .. } | StoreError::Refused { .. }) {
            self.damaged.get_or_init(|| error.to_string());
        }
    }

    /// The first such error.
    pub(super) fn damaged(&self) -> Option<&str> {
        self.damaged.get().map(String::as_str)
    }

    /// This file, and what the operating system has refused of it.
    pub(super) fn refused(&self) -> (PathBuf, Arc<OnceLock<String>>) {
        (self.path.clone(), self.refused.clone())
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.guarded(|| read(&self.database.begin_read().map_err(|error| self.failed(error))?))
    }

    /// Writes all of it, or nothing where `write` fails.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.guarded(|| {
            let mut transaction = self.database.begin_write().map_err(|error| self.failed(error))?;
            transaction.set_durability(durability).map_err(|error| self.failed(error))?;
            let written = write(&transaction)?;
            transaction.commit().map_err(|error| self.failed(error))?;
            Ok(written)
        })
    }

    /// A damaged page may trip over an assertion of the database's; that must not take the node down.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        catch(work).unwrap_or_else(|panic| {
            panic.say("the database");
            Err(StoreError::broken(&self.path, "is damaged: the database gave up on it"))
        })
    }

    pub(super) fn get<T: DeserializeOwned>(
        &self,
        transaction: &ReadTransaction,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let table = transaction.open_table(META).map_err(|error| self.failed(error))?;
        let found = redb::ReadableTable::get(&table, name).map_err(|error| self.failed(error))?;
        found.map(|value| self.decode(value.value())).transpose()
    }

    pub(super) fn put<T: Serialize>(
        &self,
        transaction: &WriteTransaction,
        name: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let mut table = transaction.open_table(META).map_err(|error| self.failed(error))?;
        table.insert(name, &*self.encode(value)?).map_err(|error| self.failed(error))?;
        Ok(())
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, StoreError> {
        rmp_serde::from_slice(bytes).map_err(|error| {
            StoreError::broken(&self.path, format!("holds a record that cannot be read: {error}"))
        })
    }

    pub(super) fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, StoreError> {
        rmp_serde::to_vec_named(value).map_err(|error| {
            let problem = format!("a record cannot be written: {error}");
            StoreError::disk(&self.path, io::Error::other(problem))
        })
    }

    /// Writes something and waits for the disk.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.write(Durability::Immediate, |transaction| {
            let count: u64 = {
                let table = transaction.open_table(META).map_err(|error| self.failed(error))?;
                let found = redb::ReadableTable::get(&table, PROBE).map_err(|error| self.failed(error))?;
                found.map(|value| self.decode(value.value())).transpose()?.unwrap_or(0)
            };
            self.put(transaction, PROBE, &count.wrapping_add(1))
        })
    }
}

/// Makes what has been made, renamed and removed in a directory last.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
