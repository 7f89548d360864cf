use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{handle::Handle, metrics::Metrics, running::Running};

/// Follows Raft's metrics across restarts of Raft. It keeps neither Raft nor its files alive.
pub(super) struct Follower {
    handle: Handle,
    starts: watch::Receiver<u64>,
    current: Option<Followed>,
}

/// The Raft that is followed: its metrics, and when it finds a leader.
struct Followed {
    running: Weak<Running>,
    metrics: watch::Receiver<Metrics>,
    found: watch::Receiver<u64>,
}

impl Follower {
    pub(super) fn new(handle: &Handle) -> Self {
        Self { handle: handle.clone(), starts: handle.starts(), current: None }
    }

    /// The running Raft: at first at once, then after each change of its metrics and each time that a majority confirms its
    /// leader. `None` once the node ends.
    pub(super) async fn next(&mut self) -> Option<Arc<Running>> {
        if let Some(mut followed) = self.current.take() {
            let goes_on = tokio::select! {
                changed = followed.metrics.changed() => changed.is_ok(),
                // The metrics end first.
                Ok(()) = followed.found.changed() => true,
                changed = self.starts.changed() => {
                    changed.ok()?;
                    return self.take_up().await;
                }
            };
            match followed.running.upgrade() {
                Some(running) if goes_on => {
                    self.current = Some(followed);
                    return Some(running);
                }
                // It has stopped.
                _ => self.starts.changed().await.ok()?,
            }
        }
        self.take_up().await
    }

    /// The Raft that runs now, or the next one.
    async fn take_up(&mut self) -> Option<Arc<Running>> {
        loop {
            self.starts.mark_unchanged();
            if let Ok(running) = self.handle.running() {
                self.current = Some(Followed {
                    running: Arc::downgrade(&running),
                    metrics: running.raft.metrics(),
                    found: running.quorum.found(),
                });
                return Some(running);
            }
            self.starts.changed().await.ok()?;
        }
    }
}
