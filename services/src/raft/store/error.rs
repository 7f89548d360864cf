use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the storage cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{}: in use by another process; expected one node per data directory", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is not what this program wrote, or not all of it.
    #[error(
        "{}: {problem}. Restore it from a backup; or, where the other members of the cluster hold a majority, remove \
         this node there, move its directory {} away, and let it join again",
        path.display(),
        path.parent().unwrap_or(path).display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// What another member has sent is no snapshot that can be used.
    #[error("{problem}")]
    Snapshot {
        /// What is wrong with it.
        problem: String,
    },
    /// What it was told to write contradicts what it has. Nothing was written.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        problem: String,
    },
    /// The operating system has refused before, and what the database has in memory may differ from the disk since.
    #[error("{}: {cause}; nothing more is written there until it is opened again", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
        /// What the system said then.
        cause: String,
    },
    /// The database could not do what it was asked for.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
}

impl StoreError {
    pub(super) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk { path: path.to_owned(), source }
    }

    pub(super) fn broken(path: &Path, problem: impl Into<String>) -> Self {
        Self::Broken { path: path.to_owned(), problem: problem.into() }
    }

    /// What the database said of this file.
    pub(super) fn database(path: &Path, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path: path.to_owned() },
            redb::Error::Corrupted(problem) => Self::broken(path, format!("is damaged: {problem}")),
            redb::Error::Io(source) => Self::disk(path, source),
            source => Self::Database { path: path.to_owned(), source: Box::new(source) },
        }
    }
}
