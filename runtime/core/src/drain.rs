use std::sync::Arc;

use tokio::sync::watch;

/// A shutdown in two phases for any number of servers on any transport.
///
/// Clones share the shutdown. Phases only go forward, and repeating one has no effect.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

/// The phase of a [`Drain`]. Later phases compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// New connections and calls are accepted.
    Serving,
    /// No new connections and calls are accepted; calls in flight continue.
    Stopping,
    /// Remaining calls and connections are cut.
    Cut,
}

impl Drain {
    /// Creates a shutdown that has not started.
    pub fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Serving)) }
    }

    /// Closes listeners and tells clients to start no further calls; calls in flight continue.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Cuts the remaining connections and calls. Implies [`stop`](Self::stop).
    pub fn cut(&self) {
        self.advance(Phase::Cut);
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until [`stop`](Self::stop) or [`cut`](Self::cut) is called; returns at once if it already was.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Waits until [`cut`](Self::cut) is called; returns at once if it already was.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn cutting(&self) {
        self.reached(Phase::Cut).await;
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < to;
            *phase = to.max(*phase);
            forward
        });
    }

    async fn reached(&self, goal: Phase) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.phase.subscribe().wait_for(|phase| *phase >= goal).await;
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cut_is_also_a_stop() {
        let drain = Drain::new();
        let follower = drain.clone();
        let waiting = tokio::spawn(async move { follower.stopping().await });
        drain.cut();
        waiting.await.unwrap();
        drain.cutting().await;
    }

    #[test]
    fn phases_never_go_back() {
        let drain = Drain::new();
        assert_eq!(drain.phase(), Phase::Serving);
        drain.cut();
        drain.stop();
        assert_eq!(drain.phase(), Phase::Cut);
    }
}
