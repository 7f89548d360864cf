//! Waiting that ends: nothing here hangs, and nothing sleeps in the hope that something has happened.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How long a test waits for what must happen. Far longer than it takes, for the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The future's output.
///
/// # Panics
/// When it takes longer than [`PATIENCE`].
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing came within {PATIENCE:?} at {caller}"),
        }
    }
}

/// Asks again and again, until there is an answer.
///
/// # Panics
/// When there is none within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the number stands still for `quiet`, and returns it.
///
/// # Panics
/// When it never does within [`PATIENCE`].
pub async fn settled(quiet: Duration, mut number: impl FnMut() -> usize) -> usize {
    let mut last = (number(), Instant::now());
    eventually("the number stands still", async || {
        let now = number();
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() >= quiet).then_some(now)
    })
    .await
}
