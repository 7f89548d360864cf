use tokio::sync::watch;

/// Ends what is being served, in two steps: [`stop`](Drain::stop) lets calls in flight finish and takes no
/// new ones, [`cut`](Drain::cut) ends those too. Dropping it cuts.
#[derive(Debug)]
pub struct Drain(watch::Sender<Phase>);

/// What a server watches to learn that it should end. Clones watch the same [`Drain`].
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Stopping,
    Cut,
}

impl Drain {
    /// A drain, and what watches it.
    pub fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self(sender), Draining(receiver))
    }

    /// No new calls from now on.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// No calls at all from now on.
    pub fn cut(&self) {
        self.advance(Phase::Cut);
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let later = to > *phase;
            *phase = to.max(*phase);
            later
        });
    }
}

impl Draining {
    /// Whether no new calls may be taken.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() >= Phase::Stopping
    }

    /// Returns once no new calls may be taken.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn stopping(&mut self) {
        self.reach(Phase::Stopping).await;
    }

    /// Returns once calls in flight must end too.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn cut(&mut self) {
        self.reach(Phase::Cut).await;
    }

    async fn reach(&mut self, phase: Phase) {
        // An error says that the drain was dropped, which cuts.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
