use std::{io, path::Path};

/// The room in a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// How many bytes it has.
    pub total_bytes: u64,
    /// How many of them this process may still write.
    pub available_bytes: u64,
}

impl DiskSpace {
    /// That of the file system that this is on, of whatever kind: also one in memory or on another machine. May block
    /// where that machine does not answer.
    ///
    /// # Errors
    /// When there is nothing at this path, or the system does not say.
    pub fn of(path: impl AsRef<Path>) -> io::Result<Self> {
        let space = rustix::fs::statvfs(path.as_ref())?;
        Ok(Self {
            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
            available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }
}
