//! A file system of a test's own, small enough to be filled.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{patience::within, skip::skipped};

/// A file system in memory, in a mount namespace of its own: only a process that is [started in
/// it](Self::command) sees it, and nothing of it is left once this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: TempDir,
    /// Keeps the namespace.
    holder: Child,
    pid: u32,
    is_of_another_user: bool,
}

/// What mounts it and stays there.
const MOUNT: &str = r#"mount -t tmpfs -o "size=$1" polywire "$2" && echo mounted && exec sleep infinity"#;

/// What fills it.
const BALLAST: &str = "ballast";

impl SmallDisk {
    /// A disk of so many bytes. `None` where this user may neither mount nor have a user namespace to mount in, which
    /// is [said](skipped).
    ///
    /// # Panics
    /// As [`skipped`].
    pub async fn mount(bytes: u64) -> Option<Self> {
        for is_of_another_user in [false, true] {
            if let Some(disk) = Self::try_mount(bytes, is_of_another_user).await {
                return Some(disk);
            }
        }
        skipped("nothing can be mounted here, so no disk can be filled");
        None
    }

    async fn try_mount(bytes: u64, is_of_another_user: bool) -> Option<Self> {
        let mount_point = tempfile::tempdir().expect("a temporary directory");
        let mut holder = Command::new("unshare");
        holder.arg("--mount").args(is_of_another_user.then_some("--map-root-user"));
        holder.args(["sh", "-c", MOUNT, "sh"]).arg(bytes.to_string()).arg(mount_point.path());
        holder.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut holder = holder.spawn().ok()?;
        let mut said = BufReader::new(holder.stdout.take().expect("a pipe")).lines();
        within(said.next_line()).await.expect("text")?;
        let pid = holder.id()?;
        Some(Self { mount_point, holder, pid, is_of_another_user })
    }

    /// This program, where it sees the disk.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.pid)).arg("--mount");
        if self.is_of_another_user {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    /// Where such a program finds it.
    pub fn path(&self) -> &Path {
        self.mount_point.path()
    }

    /// Where this process finds it.
    pub fn here(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid));
        root.join(self.path().strip_prefix("/").expect("an absolute path"))
    }

    /// Leaves no byte of it free.
    ///
    /// # Panics
    /// When something else than its end keeps it from being written.
    pub fn fill(&self) {
        let mut ballast = File::create(self.here().join(BALLAST)).expect("a writable disk");
        let block = [0; 4 << 10];
        let full = loop {
            if let Err(error) = ballast.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
    }

    /// Frees what [`fill`](Self::fill) took.
    ///
    /// # Panics
    /// When it has taken nothing.
    pub fn free(&self) {
        fs::remove_file(self.here().join(BALLAST)).expect("what fills the disk");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The system unmounts it with the last process that sees it.
        let _ = self.holder.start_kill();
    }
}
