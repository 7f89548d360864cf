use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use polywire_core::Status;
use rustix::fs::{FlockOperation, flock};

use super::{TokenChange, TokenId, TokenRecord, TokenStore, record::UseRefused};

/// The records of tokens in a node's data directory, as JSON. The running node and the command line may change it at the same
/// time. Clones share it.
#[derive(Clone, Debug)]
pub struct TokenFile(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    path: PathBuf,
    records: RwLock<BTreeMap<TokenId, TokenRecord>>,
    generation: AtomicU64,
}

const FILE: &str = "tokens.json";

/// Held while the file is changed: the file itself is replaced.
const LOCK: &str = "tokens.lock";

impl TokenFile {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// If it cannot be read or is malformed: without it, revoked tokens would be accepted.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        let records = RwLock::new(read(&path)?);
        Ok(Self(Arc::new(Contents { path, records, generation: AtomicU64::new(0) })))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads the file again, after another process has changed it.
    ///
    /// # Errors
    /// As [`open`](Self::open). What was read before stays.
    pub fn read_again(&self) -> io::Result<()> {
        let records = read(&self.0.path)?;
        self.0.set(records);
        Ok(())
    }

    /// All records.
    pub fn records(&self) -> Vec<TokenRecord> {
        self.0.records.read().values().cloned().collect()
    }

    /// Makes a change durable. It blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be written, and [`UseRefused`] inside for a use too many.
    pub fn change_now(&self, change: TokenChange) -> io::Result<Result<(), UseRefused>> {
        let directory = self.0.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let lock = new_file(&directory.join(LOCK))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let mut records = read(&self.0.path)?;
        let id = change.id();
        match change.apply(records.get(&id).cloned()) {
            Ok(record) => records.insert(id, record),
            Err(refused) => return Ok(Err(refused)),
        };
        let now = SystemTime::now();
        records.retain(|_, record| !record.is_obsolete(now));
        write(directory, &self.0.path, &records)?;
        self.0.set(records);
        Ok(Ok(()))
    }
}

impl Contents {
    fn set(&self, records: BTreeMap<TokenId, TokenRecord>) {
        *self.records.write() = records;
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl TokenStore for TokenFile {
    fn is_revoked(&self, id: TokenId) -> bool {
        self.0.records.read().get(&id).is_some_and(|record| record.revoked)
    }

    fn record(&self, id: TokenId) -> Option<TokenRecord> {
        self.0.records.read().get(&id).cloned()
    }

    fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenRecord>, Status>> {
        Box::pin(std::future::ready(Ok(self.records())))
    }

    fn change(&self, change: TokenChange) -> BoxFuture<'_, Result<(), Status>> {
        let file = self.clone();
        Box::pin(async move {
            let changing = tokio::task::spawn_blocking(move || file.change_now(change));
            let outcome = changing.await.map_err(io::Error::other).flatten();
            match outcome {
                Ok(Ok(())) => Ok(()),
                Ok(Err(refused)) => Err(refused.into()),
                Err(error) => {
                    tracing::error!(%error, "the records of tokens cannot be written");
                    Err(Status::internal("the records of tokens cannot be written").not_processed())
                }
            }
        })
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<TokenId, TokenRecord>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let records: Vec<TokenRecord> = serde_json::from_slice(&text)?;
    Ok(records.into_iter().map(|record| (record.id, record)).collect())
}

fn write(directory: &Path, path: &Path, records: &BTreeMap<TokenId, TokenRecord>) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&records.values().collect::<Vec<_>>())?;
    // Under another name first: a crash leaves either the old file or the new one.
    let unfinished = path.with_extension("json.new");
    let mut file = new_file(&unfinished)?;
    file.set_len(0)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    fs::File::open(directory)?.sync_all()
}

/// A file for its owner alone: it tells who may do what.
fn new_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TokenId {
        format!("{number:016x}").parse().unwrap()
    }

    #[test]
    fn what_was_revoked_and_used_is_so_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = TokenFile::open(directory.path()).unwrap();
        let before = file.generation();
        let usage = || TokenChange::Use { id: id(2), links: vec![(id(2), 1)], expires: u64::MAX };
        file.change_now(TokenChange::Revoke(id(1))).unwrap().unwrap();
        file.change_now(usage()).unwrap().unwrap();
        assert_ne!(file.generation(), before);
        let again = TokenFile::open(directory.path()).unwrap();
        assert!(again.is_revoked(id(1)) && !again.is_revoked(id(2)));
        assert_eq!(again.change_now(usage()).unwrap(), Err(UseRefused::UsedUp(1)));
    }

    #[test]
    fn two_processes_lose_none_of_each_others_changes() {
        let directory = tempfile::tempdir().unwrap();
        let open = || TokenFile::open(directory.path()).unwrap();
        let outcomes = std::thread::scope(|scope| {
            let users: Vec<_> = (0..4)
                .map(|_| {
                    let file = open();
                    scope.spawn(move || {
                        let usage =
                            TokenChange::Use { id: id(1), links: vec![(id(1), 10)], expires: u64::MAX };
                        (0..5).filter(|_| file.change_now(usage.clone()).unwrap().is_ok()).count()
                    })
                })
                .collect();
            users.into_iter().map(|user| user.join().unwrap()).sum::<usize>()
        });
        assert_eq!(outcomes, 10);
    }

    #[test]
    fn a_damaged_file_is_refused_and_an_expired_record_goes() {
        let directory = tempfile::tempdir().unwrap();
        let file = TokenFile::open(directory.path()).unwrap();
        file.change_now(TokenChange::Use { id: id(1), links: vec![(id(1), 1)], expires: 1 })
            .unwrap()
            .unwrap();
        assert!(file.records().is_empty());
        fs::write(file.path(), "[{").unwrap();
        assert!(TokenFile::open(directory.path()).is_err());
        assert!(file.change_now(TokenChange::Revoke(id(1))).is_err(), "it is not overwritten");
    }
}
