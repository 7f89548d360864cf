use std::sync::Arc;

use tokio::sync::watch;

/// A shutdown in two phases that any number of servers follow, whatever their transport.
///
/// A clone is the same shutdown. Phases only go forward, and calling the same one again changes nothing.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

/// How far a [`Drain`] has come. Later phases compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everything is served.
    Serving,
    /// No new connections and calls; what is in flight goes on.
    Stopping,
    /// Whatever is left is ended.
    Cut,
}

impl Drain {
    /// A shutdown that has not begun.
    pub fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Serving)) }
    }

    /// Closes listeners and tells every client to start nothing more here; calls in flight go on.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Ends every connection and call that is left. Implies [`stop`](Self::stop).
    pub fn cut(&self) {
        self.advance(Phase::Cut);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until [`stop`](Self::stop) or [`cut`](Self::cut) was called; returns at once when it was.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Waits until [`cut`](Self::cut) was called; returns at once when it was.
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
