use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustix::io::Errno;
use tokio::sync::Mutex;

use super::{DiskSpace, unnamed::unnamed};

/// The periodic check of the data directory. Clones share its state.
#[derive(Clone)]
pub(super) struct DataDir {
    path: PathBuf,
    min_free_bytes: u64,
    /// A file in the directory, locked while a check runs. It is kept open for checks at the limit of descriptors.
    kept: Arc<Mutex<Option<File>>>,
}

impl DataDir {
    /// Creates the check and removes leftovers of killed processes.
    pub(super) fn new(path: PathBuf, min_free_bytes: u64) -> Self {
        clear(&path);
        Self { path, min_free_bytes, kept: Arc::default() }
    }

    /// Checks the directory: writes a file, syncs it, reads it back, and compares the free space with the minimum.
    ///
    /// # Errors
    /// The problem, as a text for people.
    pub(super) async fn check(self) -> Result<(), String> {
        // A thread that hangs in the file system cannot be cancelled, and a second one would hang too.
        let Ok(mut kept) = self.kept.try_lock_owned() else {
            return Err(format!("the previous check still hangs in {}", self.path.display()));
        };
        let checked = tokio::task::spawn_blocking(move || {
            round_trip(&self.path, &mut kept)?;
            free_space(&self.path, self.min_free_bytes)
        });
        checked.await.unwrap_or_else(|_| Err("the check panicked".to_owned()))
    }
}

/// Removes leftover files of checks by other versions.
fn clear(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".health-") {
            // A leftover does not prevent the start.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Uses a file without a name, which disappears whenever the process ends.
fn round_trip(data_dir: &Path, kept: &mut Option<File>) -> Result<(), String> {
    let unusable = |error| format!("{} cannot be written: {error}", data_dir.display());
    match unnamed(data_dir) {
        Ok(file) => *kept = Some(file),
        // A lack of descriptors is not a fault of the disk.
        Err(error) if is_out_of_descriptors(&error) && kept.is_some() && data_dir.is_dir() => {}
        Err(error) => return Err(unusable(error)),
    }
    let Some(file) = kept else { return Ok(()) };
    let written = format!("{:?}", SystemTime::now());
    match write_and_read(file, &written).map_err(unusable)? == written {
        true => Ok(()),
        false => Err(format!("{} returns other data than was written", data_dir.display())),
    }
}

fn write_and_read(file: &mut File, text: &str) -> io::Result<String> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    file.rewind()?;
    let mut read = String::new();
    file.read_to_string(&mut read)?;
    Ok(read)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
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
    async fn nothing_of_a_check_is_ever_in_the_directory_and_what_was_left_there_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".health-4711"), "left").unwrap();
        let data_dir = DataDir::new(directory.path().to_owned(), 0);
        assert_eq!(data_dir.clone().check().await, Ok(()));
        assert!(data_dir.kept.lock().await.is_some());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_not_joined_by_a_second() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::new(directory.path().to_owned(), 0);
        let hanging = data_dir.kept.clone().try_lock_owned().unwrap();
        assert!(data_dir.clone().check().await.unwrap_err().contains("still hangs"));
        drop(hanging);
        assert_eq!(data_dir.check().await, Ok(()));
    }
}
