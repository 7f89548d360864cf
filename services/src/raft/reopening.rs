//! Restarts consensus after a disk error, and ends the node after a failure that a restart does not mend.
//!
//! Raft stops for good when its storage fails, and the database accepts no writes after a failed one: its memory may differ
//! from the disk. The disk is consistent, as after a crash. So both are closed and opened again, as at a start, once the
//! disk accepts writes.
//!
//! Another Raft would meet damaged records, a contradiction in the log or a panic again. The node ends then, with an error, so
//! that a supervisor sees it.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use openraft::error::Fatal;
use polywire::Health;
use tokio::time::Instant;

use super::{
    follower::Follower, lifecycle::Lifecycle, running::Running, setup::is_in_use, store::StoreError,
};

/// The pause before the first attempt, and the longest between two.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// After running this long, the next error counts as a new one.
const WELL: Duration = Duration::from_secs(60);

/// How many bytes must fit on the disk for another attempt: several of the largest writes.
const ROOM: usize = 1 << 20;

/// How long closed files may stay in use. After that only a restart of the process releases them.
const CLOSING: Duration = Duration::from_secs(60);

/// Opens the storage again after each error, until the node ends.
pub(super) async fn keep_open(lifecycle: Lifecycle, health: Health) {
    let mut pause = PAUSES.0;
    let mut since = Instant::now();
    while let Some(Failure { cause, is_final }) = failure(&lifecycle).await {
        if is_final {
            health.fail(format!("Raft has failed, and a restart of it would fail again: {cause}"));
            return;
        }
        if since.elapsed() >= WELL {
            pause = PAUSES.0;
        }
        tracing::error!(%cause, "Raft has failed; it restarts once the disk accepts writes");
        if !begin_again(&lifecycle, &health, &mut pause).await {
            return;
        }
        tracing::info!("the storage is open again, and Raft has restarted");
        since = Instant::now();
    }
}

/// Why Raft has failed.
struct Failure {
    cause: String,
    /// Whether another Raft would fail again.
    is_final: bool,
}

/// Waits for a failure. `None` once the node ends.
async fn failure(lifecycle: &Lifecycle) -> Option<Failure> {
    let mut follower = Follower::new(&lifecycle.handle);
    loop {
        let running = follower.next().await?;
        if let Some(cause) = cause(&running) {
            let is_final = running.store.damage().is_some() || has_panicked(&running);
            return Some(Failure { cause, is_final });
        }
    }
}

/// The cause of a failure, also of one that Raft has not noticed yet.
fn cause(running: &Running) -> Option<String> {
    match &running.raft.metrics().borrow().running_state {
        Ok(()) => running.disk.get(),
        // It was stopped on purpose.
        Err(Fatal::Stopped) => None,
        Err(error) => Some(running.disk.explain(error)),
    }
}

fn has_panicked(running: &Running) -> bool {
    matches!(running.raft.metrics().borrow().running_state, Err(Fatal::Panicked))
}

/// Whether it runs again; otherwise the node ends.
async fn begin_again(lifecycle: &Lifecycle, health: &Health, pause: &mut Duration) -> bool {
    let mut said = String::new();
    let mut in_use: Option<Instant> = None;
    loop {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSES.1);
        let Err(error) = attempt(lifecycle).await else { return true };
        let error = match error {
            Refusal::NoRoom(error) => error.to_string(),
            Refusal::Open(error) if is_damaged(&*error) => {
                health.fail(format!("Raft cannot restart: {error}"));
                return false;
            }
            Refusal::Open(error) => {
                match is_in_use(&*error) {
                    true => in_use = in_use.or(Some(Instant::now())),
                    false => in_use = None,
                }
                error.to_string()
            }
        };
        if in_use.is_some_and(|since| since.elapsed() >= CLOSING) {
            health.needs_restart(format!("the storage cannot be opened again: {error}"));
        }
        if error != said {
            tracing::warn!(error, "Raft cannot restart yet");
            said = error;
        }
    }
}

/// Why it could not be opened.
enum Refusal {
    /// The disk accepts no writes yet; nothing was changed.
    NoRoom(io::Error),
    Open(polywire::ComponentError),
}

async fn attempt(lifecycle: &Lifecycle) -> Result<(), Refusal> {
    let directory = lifecycle.directory().to_owned();
    let writing = tokio::task::spawn_blocking(move || write(&directory)).await;
    writing.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Refusal::NoRoom)?;
    lifecycle.open_again(|running| cause(running).is_some()).await.map_err(Refusal::Open)
}

fn is_damaged(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Broken { .. } | StoreError::Refused { .. }))
}

/// Tries to write an unnamed file there.
fn write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_all()
}
