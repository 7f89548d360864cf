use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use openraft::LogId;
use parking_lot::{Mutex, MutexGuard};

use super::{StoreError, file};

/// The directory of snapshots. In it are the one that is kept, those that Raft has been handed and not installed yet,
/// and those that are being written; everything else may go.
#[derive(Debug)]
pub(super) struct Snapshots {
    path: PathBuf,
    /// Held by what changes which snapshot is kept, and by what removes the others. Says whether the directory
    /// belongs to another store by now.
    publishing: Mutex<bool>,
    /// The files that are in use, by their names, and how often.
    held: Holds,
    parts: AtomicU64,
}

type Holds = Arc<Mutex<BTreeMap<String, usize>>>;

impl Snapshots {
    /// Makes the directory where it is missing.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&path).map_err(|source| StoreError::disk(&path, source))?;
        Ok(Self { path, publishing: Mutex::default(), held: Holds::default(), parts: AtomicU64::default() })
    }

    /// Waits for its turn to change which snapshot is kept.
    ///
    /// # Errors
    /// Once the store was given up.
    pub(super) fn publish(&self) -> Result<MutexGuard<'_, bool>, StoreError> {
        let publishing = self.publishing.lock();
        match *publishing {
            false => Ok(publishing),
            true => Err(self.failed(io::Error::other("this store was replaced by another"))),
        }
    }

    /// Leaves the directory to another store: what is still under way here comes to nothing.
    pub(super) fn retire(&self) {
        *self.publishing.lock() = true;
    }

    /// Where a snapshot of this name is.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new file to be written.
    pub(super) fn part(&self) -> Result<Part, StoreError> {
        let name = format!("{}.part", self.parts.fetch_add(1, Ordering::Relaxed));
        // Before it is there, or it could be tidied away.
        let held = self.hold(&name);
        let path = self.at(&name);
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.map_err(|source| StoreError::disk(&path, source))?;
        Ok(Part { path, file, _held: held })
    }

    /// Gives the file this name, on disk with all that is in it. It is in use for as long as the answer is there.
    pub(super) fn name(&self, part: &Part, name: &str) -> Result<Held, StoreError> {
        let held = self.hold(name);
        let failed = |source| StoreError::disk(&part.path, source);
        part.file.sync_all().map_err(failed)?;
        fs::rename(&part.path, self.at(name)).map_err(failed)?;
        file::sync(&self.path).map_err(|source| self.failed(source))?;
        Ok(held)
    }

    /// Removes what is neither kept nor in use. The caller holds the lock of [`publish`](Self::publish).
    pub(super) fn tidy(&self, kept: Option<&str>) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.path).map_err(|source| self.failed(source))? {
            let entry = entry.map_err(|source| self.failed(source))?;
            let name = entry.file_name().into_string().unwrap_or_default();
            // For as long as it takes, or the file could come into use between the look and the removal.
            let held = lock(&self.held);
            if kept != Some(&*name) && !held.contains_key(&name) {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.failed(error)),
                    _ => {}
                }
            }
        }
        file::sync(&self.path).map_err(|source| self.failed(source))
    }

    pub(super) fn failed(&self, source: io::Error) -> StoreError {
        StoreError::disk(&self.path, source)
    }

    /// Says that a file of this name is in use.
    fn hold(&self, name: &str) -> Held {
        *lock(&self.held).entry(name.to_owned()).or_default() += 1;
        Held { name: name.to_owned(), holds: self.held.clone() }
    }
}

/// A file that is being written. Dropped, it is gone, unless it was given a name.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    pub(super) file: fs::File,
    _held: Held,
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there where it was given another name.
        let _ = fs::remove_file(&self.path);
    }
}

/// A file is in use for as long as this is there.
#[derive(Debug)]
pub(super) struct Held {
    name: String,
    holds: Holds,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut holds = lock(&self.holds);
        if let Some(count) = holds.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                holds.remove(&self.name);
            }
        }
    }
}

fn lock(holds: &Holds) -> MutexGuard<'_, BTreeMap<String, usize>> {
    holds.lock()
}

/// What the snapshot of everything up to this entry is called.
pub(super) fn name(applied: Option<LogId<u64>>) -> String {
    match applied {
        Some(id) => format!("{}-{}.snapshot", id.leader_id.term, id.index),
        None => "empty.snapshot".to_owned(),
    }
}
