//! Files that are looked at again and again, and read when they have changed.
//!
//! They are looked at and not watched, so that one may be a link that is changed, as those of Kubernetes' ConfigMaps and
//! Secrets are, or on a file system that reports nothing.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

/// How often the files are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// How long files must have stood still to be read: a program that writes one in parts pauses for less.
pub(crate) const SETTLING: Duration = Duration::from_millis(250);

/// By which it shows that what is at a path is another file, or has other contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// The one time that no program can set.
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file at this path, behind all links; `None` where there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Stamp {
    /// Whether the file has stood still for a while, by the clock of its file system.
    #[cfg_attr(
        not(feature = "grpc"),
        expect(dead_code, reason = "for connections that look when they are used")
    )]
    pub(crate) fn is_settled(&self) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        let nanoseconds = u32::try_from(self.changed.1).unwrap_or(0);
        let changed = UNIX_EPOCH + Duration::new(changed, nanoseconds);
        changed.elapsed().is_ok_and(|still| still >= SETTLING)
    }
}

/// Files that belong together, and how they were when they were read last.
#[derive(Clone, Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

impl Watched {
    /// These files, as they are now.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths = Vec::from_iter(paths);
        let seen = paths.iter().map(|path| Stamp::of(path)).collect();
        Self { paths, seen }
    }

    /// Returns once one of them is another than it was, and all of them stand still. Never, where there are none.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn changed(&mut self) {
        if self.paths.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(INTERVAL).await;
            if self.look().await != self.seen {
                return self.settle().await;
            }
        }
    }

    /// Returns once two looks at them agree. What they are then is what they were.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn settle(&mut self) {
        let mut before = self.look().await;
        loop {
            tokio::time::sleep(SETTLING).await;
            let now = self.look().await;
            if now == before {
                self.seen = now;
                return;
            }
            before = now;
        }
    }

    /// Looking at a file may block, and takes no longer than the disk.
    async fn look(&self) -> Vec<Option<Stamp>> {
        let paths = self.paths.clone();
        let look = move || paths.iter().map(|path| Stamp::of(path)).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_another_where_a_link_leads_elsewhere_or_its_contents_were_replaced_by_as_many_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("one"), "1").unwrap();
        fs::write(path("two"), "2").unwrap();
        std::os::unix::fs::symlink("one", path("link")).unwrap();
        let before = Stamp::of(&path("link"));
        assert!(before.is_some());
        std::os::unix::fs::symlink("two", path("new link")).unwrap();
        fs::rename(path("new link"), path("link")).unwrap();
        let relinked = Stamp::of(&path("link"));
        assert_ne!(relinked, before);
        fs::remove_file(path("two")).unwrap();
        assert_eq!(Stamp::of(&path("link")), None);
    }

    #[tokio::test]
    async fn files_that_change_count_once_they_stand_still() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "a").unwrap();
        let mut watched = Watched::new([path.clone()]);
        let writing = async {
            for length in 2..20 {
                fs::write(&path, "a".repeat(length)).unwrap();
                tokio::time::sleep(SETTLING / 5).await;
            }
        };
        let (length, ()) = tokio::join!(
            async {
                watched.changed().await;
                fs::metadata(&path).unwrap().len()
            },
            writing
        );
        assert_eq!(length, 19);
    }
}
