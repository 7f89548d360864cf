//! Proof that something was dropped.

use tokio::sync::mpsc;

use crate::patience::within;

/// Makes guards, and tells of each that is gone.
#[derive(Debug)]
pub struct Drops {
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
}

/// Makes guards; a clone makes guards of the same [`Drops`].
#[derive(Clone, Debug)]
pub struct Guards(mpsc::UnboundedSender<()>);

/// Tells of its end.
#[derive(Debug)]
pub struct Guard(mpsc::UnboundedSender<()>);

impl Drops {
    /// No guards yet.
    #[expect(clippy::new_without_default, reason = "nothing takes a default of it")]
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }

    /// What makes guards, for a handler to hold.
    pub fn guards(&self) -> Guards {
        Guards(self.sender.clone())
    }

    /// Waits for the next guard to be dropped.
    ///
    /// # Panics
    /// When none is, in time.
    pub async fn next(&mut self) {
        within(self.receiver.recv()).await;
    }
}

impl Guards {
    /// One guard.
    pub fn guard(&self) -> Guard {
        Guard(self.0.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(());
    }
}
