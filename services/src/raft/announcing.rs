use std::{sync::atomic::Ordering, time::Duration};

use polywire::{Code, Status};
use tokio::time::Instant;

use super::{examine::conflict, running::Running};

/// How a node that is no member any more says so.
pub(super) const REMOVED: &str = "this node was removed from its cluster. `cluster leave` makes it a cluster of its own, \
                                  without the data that it has; then `cluster join` lets it join again";

/// How long a node waits before it tells the others again where it is: once it could not tell any, once it was kept out
/// because another process is this member, and once the leader has said that it is no member.
const AGAIN: Duration = Duration::from_millis(200);
const KEPT_OUT_AGAIN: Duration = Duration::from_secs(2);
const REMOVED_AGAIN: Duration = Duration::from_secs(10);

/// After so long the log is told again of what has not changed.
const REMINDER: Duration = Duration::from_secs(60);

/// What has come of telling the others where this node is.
#[derive(Debug)]
pub(super) struct Announcing {
    due: Instant,
    /// Why it failed last, and when the log was told.
    said: Option<(Code, Instant)>,
}

impl Announcing {
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), said: None }
    }

    /// Whether it may be tried again.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// It was tried, with this outcome.
    pub(super) fn tried(&mut self, running: &Running, outcome: Result<(), Status>) {
        let Err(status) = outcome else {
            (self.due, self.said) = (Instant::now(), None);
            return;
        };
        if conflict(&status).is_some() {
            self.due = Instant::now() + KEPT_OUT_AGAIN;
            return;
        }
        if status.code() == Code::NotFound {
            self.due = Instant::now() + REMOVED_AGAIN;
            if !running.removed.swap(true, Ordering::Relaxed) {
                tracing::warn!("{REMOVED}");
            }
            return;
        }
        self.due = Instant::now() + AGAIN;
        let told = self.said.is_some_and(|(code, at)| code == status.code() && at.elapsed() < REMINDER);
        if !told {
            self.said = Some((status.code(), Instant::now()));
            tracing::warn!(%status, "the cluster does not know this node's current address yet");
        }
    }
}
