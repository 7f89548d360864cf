use std::{io, path::Path};

/// The space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// The total size in bytes.
    pub total_bytes: u64,
    /// The size in bytes that this process may still write.
    pub available_bytes: u64,
}

impl DiskSpace {
    /// The space of the file system of this path, of any kind, including memory and network file systems. May block if a
    /// network file system does not answer.
    ///
    /// # Errors
    /// If the path does not exist or the system call fails.
    pub fn of(path: impl AsRef<Path>) -> io::Result<Self> {
        let space = rustix::fs::statvfs(path.as_ref())?;
        Ok(Self {
            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
            available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }
}
