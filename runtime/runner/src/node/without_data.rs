use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The mark of an identity without data: of one that was just made, and of a node that has dropped its data on purpose.
///
/// A component whose data are gone cannot tell by that alone whether it starts for the first time or has lost them. With this
/// mark it starts as a new one and removes the mark; without it, the data are lost.
#[derive(Clone, Debug)]
pub struct WithoutData(PathBuf);

const FILE: &str = "without-data";

impl WithoutData {
    /// The mark in this data directory.
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Whether the mark is there.
    pub fn is_set(&self) -> bool {
        fs::symlink_metadata(&self.0).is_ok()
    }

    /// Sets the mark, on disk. Blocks on the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.sync()
    }

    /// Removes the mark, on disk. Blocks on the disk.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(self.0.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let mark = WithoutData::of(directory.path());
        assert!(!mark.is_set());
        for _ in 0..2 {
            mark.set().unwrap();
            assert!(WithoutData::of(directory.path()).is_set());
        }
        for _ in 0..2 {
            mark.clear().unwrap();
            assert!(!mark.is_set());
        }
    }
}
