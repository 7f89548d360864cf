use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::sync::Mutex;

use super::DiskSpace;

/// The data directory, to be checked again and again. Clones are the same.
#[derive(Clone)]
pub(super) struct DataDir {
    path: PathBuf,
    min_free_bytes: u64,
    /// Held by the thread that checks.
    checking: Arc<Mutex<()>>,
}

impl DataDir {
    pub(super) fn new(path: PathBuf, min_free_bytes: u64) -> Self {
        Self { path, min_free_bytes, checking: Arc::default() }
    }

    /// Checks that the directory can really be used: writes a file, syncs it, reads it back, and looks at
    /// the free space.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) async fn check(self) -> Result<(), String> {
        // Nobody can make a thread give up that hangs in the file system; a second would hang beside it.
        let Ok(checking) = self.checking.try_lock_owned() else {
            return Err(format!("the check still hangs in {}", self.path.display()));
        };
        let checked = tokio::task::spawn_blocking(move || {
            let _checking = checking;
            round_trip(&self.path)?;
            free_space(&self.path, self.min_free_bytes)
        });
        checked.await.unwrap_or_else(|_| Err("the check panicked".to_owned()))
    }
}

fn round_trip(data_dir: &Path) -> Result<(), String> {
    let path = data_dir.join(format!(".health-{}", std::process::id()));
    let written = format!("{:?}", SystemTime::now());
    let mut read = String::new();
    let outcome = File::create(&path)
        .and_then(|mut file| {
            file.write_all(written.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| File::open(&path)?.read_to_string(&mut read));
    let _ = fs::remove_file(&path);
    match outcome {
        Err(error) => Err(format!("{} cannot be written: {error}", data_dir.display())),
        Ok(_) if read != written => {
            Err(format!("{} gives back something else than was written", data_dir.display()))
        }
        Ok(_) => Ok(()),
    }
}

fn free_space(data_dir: &Path, min_free_bytes: u64) -> Result<(), String> {
    let space = DiskSpace::of(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    let free = space.available_bytes;
    if free >= min_free_bytes {
        return Ok(());
    }
    Err(format!(
        "{} has {free} bytes free, fewer than health.min_free_bytes = {min_free_bytes}",
        data_dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_is_gone_or_full_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let data_dir = DataDir::new(path.clone(), 0);
        assert_eq!(data_dir.clone().check().await, Ok(()));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        let full = DataDir::new(path, u64::MAX);
        assert!(full.check().await.unwrap_err().contains("health.min_free_bytes"));
        drop(directory);
        assert!(data_dir.check().await.unwrap_err().contains("cannot be written"));
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_not_joined_by_a_second() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::new(directory.path().to_owned(), 0);
        let hanging = data_dir.checking.clone().try_lock_owned().unwrap();
        assert!(data_dir.clone().check().await.unwrap_err().contains("still hangs"));
        drop(hanging);
        assert_eq!(data_dir.check().await, Ok(()));
    }
}
