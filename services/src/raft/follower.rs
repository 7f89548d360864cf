use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{handle::Handle, metrics::Metrics, running::Running};

/// Follows what Raft says of itself. It keeps no Raft, nor its files: another may open them.
pub(super) struct Follower {
    handle: Handle,
    starts: watch::Receiver<u64>,
    current: Option<Followed>,
}

/// One that is followed: what it says of itself, and when it finds a leader.
struct Followed {
    running: Weak<Running>,
    metrics: watch::Receiver<Metrics>,
    found: watch::Receiver<u64>,
}

impl Follower {
    pub(super) fn new(handle: &Handle) -> Self {
        Self { handle: handle.clone(), starts: handle.starts(), current: None }
    }

    /// What runs, at first at once, and then after each time that it has said something new of itself, or a majority has
    /// confirmed its leader. `None` once the node ends.
    pub(super) async fn next(&mut self) -> Option<Arc<Running>> {
        if let Some(mut followed) = self.current.take() {
            let goes_on = tokio::select! {
                changed = followed.metrics.changed() => changed.is_ok(),
                // Raft ends first.
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
                // It has ended, and has said so.
                _ => self.starts.changed().await.ok()?,
            }
        }
        self.take_up().await
    }

    /// The one that runs now, or will next.
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
