use std::{fmt::Display, time::Duration};

use tokio::time::Instant;

use crate::sync::Mutex;

/// Tells the log of peers that a listener refused before their first call, and why: at most [`MOST`] lines in each
/// [`WINDOW`], for every peer can cause one.
#[derive(Debug)]
pub(crate) struct Refusals {
    transport: &'static str,
    window: Mutex<Window>,
}

/// What has been said lately.
#[derive(Debug)]
struct Window {
    begun: Instant,
    said: u32,
    suppressed: u64,
}

/// How many lines there are in a window.
const MOST: u32 = 5;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(10);

impl Refusals {
    /// Those of a listener of this transport.
    pub(crate) fn new(transport: &'static str) -> Self {
        let window = Window { begun: Instant::now(), said: 0, suppressed: 0 };
        Self { transport, window: Mutex::new(window) }
    }

    /// One more.
    pub(crate) fn say(&self, reason: &dyn Display) {
        let transport = self.transport;
        match self.turn() {
            Some(0) => tracing::info!(transport, %reason, "a handshake was refused"),
            Some(suppressed) => {
                tracing::info!(transport, %reason, suppressed, "a handshake was refused, as were others before it");
            }
            None => tracing::debug!(transport, %reason, "a handshake was refused"),
        }
    }

    /// How many were not said since the last that was, where this one may be.
    fn turn(&self) -> Option<u64> {
        let mut window = self.window.lock();
        if window.begun.elapsed() >= WINDOW {
            (window.begun, window.said) = (Instant::now(), 0);
        }
        if window.said >= MOST {
            window.suppressed += 1;
            return None;
        }
        window.said += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_refused_peers_costs_a_few_lines_and_is_counted() {
        let refusals = Refusals::new("test");
        let turns = Vec::from_iter((0..100).map(|_| refusals.turn()));
        assert_eq!(turns.iter().flatten().count(), MOST as usize);
        tokio::time::advance(WINDOW).await;
        assert_eq!(refusals.turn(), Some(100 - u64::from(MOST)));
        assert_eq!(refusals.turn(), Some(0));
    }
}
