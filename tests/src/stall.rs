//! A process that stands still again and again, as one does on a machine that is too busy.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

/// How long it stands still, and how long it goes on in between: long enough for a few packets, and no longer than a
/// handshake takes without optimisation, so that it stops in every phase of one.
const STANDS: Duration = Duration::from_millis(60);
const GOES_ON: Duration = Duration::from_millis(25);

/// Stops a process and lets it go on, by turns. Dropped, it lets it go on for good.
#[derive(Debug)]
pub struct Stalling {
    pid: Pid,
    turns: JoinHandle<()>,
}

impl Stalling {
    /// Of this process, from now on.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn begin(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
        let turns = tokio::spawn(async move {
            // It may end meanwhile, which its owner notices.
            while kill_process(pid, Signal::STOP).is_ok() {
                tokio::time::sleep(STANDS).await;
                let _ = kill_process(pid, Signal::CONT);
                tokio::time::sleep(GOES_ON).await;
            }
        });
        Self { pid, turns }
    }
}

impl Drop for Stalling {
    fn drop(&mut self) {
        self.turns.abort();
        let _ = kill_process(self.pid, Signal::CONT);
    }
}
