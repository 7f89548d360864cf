//! How consensus begins again after an error of the disk.
//!
//! Raft stops for good once its storage has failed, and the database takes no more writes once one has failed: what it
//! has in memory may differ from what is on the disk. What is on the disk is whole, for it is as after a crash. So all of
//! it is closed and opened again, as at a start, once the disk takes writes.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use openraft::error::Fatal;
use polywire::Health;
use tokio::time::Instant;

use super::{follower::Follower, lifecycle::Lifecycle, running::Running, setup::is_in_use};

/// How long it takes until the first attempt, and at most until another.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// A Raft that has run for so long has begun well: the next error is another one.
const WELL: Duration = Duration::from_secs(60);

/// How much must fit on the disk for another attempt: a few writes of everything that is written.
const ROOM: usize = 1 << 20;

/// How long files may be in use after they were closed here. What holds them then stays until the process ends.
const CLOSING: Duration = Duration::from_secs(60);

/// Opens the storage again after each error, for as long as the node is there.
pub(super) async fn keep_open(lifecycle: Lifecycle, health: Health) {
    let mut pause = PAUSES.0;
    let mut since = Instant::now();
    while let Some(cause) = failure(&lifecycle).await {
        if since.elapsed() >= WELL {
            pause = PAUSES.0;
        }
        tracing::error!(%cause, "Raft has failed; it restarts once the disk accepts writes");
        begin_again(&lifecycle, &health, &mut pause).await;
        tracing::info!("the storage is open again, and Raft has restarted");
        since = Instant::now();
    }
}

/// Waits until something has failed, and says what. `None` once the node ends.
async fn failure(lifecycle: &Lifecycle) -> Option<String> {
    let mut follower = Follower::new(&lifecycle.handle);
    loop {
        if let Some(cause) = cause(&*follower.next().await?) {
            return Some(cause);
        }
    }
}

/// What has failed, if anything has: also what Raft has not met yet.
fn cause(running: &Running) -> Option<String> {
    match &running.raft.metrics().borrow().running_state {
        Ok(()) => running.disk.get(),
        // It was told to.
        Err(Fatal::Stopped) => None,
        Err(error) => Some(running.disk.explain(error)),
    }
}

async fn begin_again(lifecycle: &Lifecycle, health: &Health, pause: &mut Duration) {
    let mut said = String::new();
    let mut in_use: Option<Instant> = None;
    loop {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSES.1);
        let Err(error) = attempt(lifecycle).await else { return };
        let error = match error {
            Refusal::NoRoom(error) => error.to_string(),
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
    /// The disk takes no writes yet, and nothing was touched.
    NoRoom(io::Error),
    Open(polywire::ComponentError),
}

async fn attempt(lifecycle: &Lifecycle) -> Result<(), Refusal> {
    let directory = lifecycle.directory().to_owned();
    let writing = tokio::task::spawn_blocking(move || write(&directory)).await;
    writing.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Refusal::NoRoom)?;
    lifecycle.open_again(|running| cause(running).is_some()).await.map_err(Refusal::Open)
}

/// Whether a file that has no name can be written there.
fn write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_all()
}
