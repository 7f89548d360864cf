use std::{sync::atomic::Ordering, time::Duration};

use polywire::{Code, Status};
use tokio::time::Instant;

use super::{examine::conflict, running::Running};

/// What a removed node reports.
pub(super) const REMOVED: &str = "this node was removed from its cluster. `cluster leave` makes it a cluster of its own, \
                                  without the data that it has; then `cluster join` lets it join again";

/// How long a node waits before it announces itself again: after no member answered, after it was refused because another
/// process is this member, and after the leader answered that it is not a member.
const AGAIN: Duration = Duration::from_millis(200);
const KEPT_OUT_AGAIN: Duration = Duration::from_secs(2);
const REMOVED_AGAIN: Duration = Duration::from_secs(10);

/// How often an unchanged failure is logged again.
const REMINDER: Duration = Duration::from_secs(60);

/// The outcome of this node's announcements.
#[derive(Debug)]
pub(super) struct Announcing {
    due: Instant,
    /// The last failure, and when it was logged.
    said: Option<(Code, Instant)>,
}

impl Announcing {
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), said: None }
    }

    /// Whether the next attempt is due.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Notes the outcome of an attempt.
    pub(super) fn tried(&mut self, running: &Running, outcome: Result<(), Status>) {
        let Err(status) = outcome else {
            (self.due, self.said) = (Instant::now(), None);
            return;
        };
        if conflict(&status).is_some() {
            self.due = Instant::now() + KEPT_OUT_AGAIN;
            return;
        }
        // A node that is no member any more may not even ask.
        if matches!(status.code(), Code::NotFound | Code::PermissionDenied) {
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
