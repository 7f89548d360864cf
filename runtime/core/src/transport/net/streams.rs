use std::convert::Infallible;

use hyper::rt::Executor;
use tokio::sync::mpsc;

/// Runs the streams of one HTTP/2 connection as tasks, and knows when the last has ended.
///
/// hyper's tasks end by themselves once their connection is gone, at their next wake; this is for code that
/// must know that no handler runs any more. A clone of a channel's sender counts a stream, which is cheaper
/// than a set of tasks and frees each at its end.
#[derive(Clone)]
pub(super) struct Streams {
    alive: mpsc::Sender<Infallible>,
}

/// Waits for the streams of a [`Streams`].
pub(super) struct Ended(mpsc::Receiver<Infallible>);

impl Streams {
    pub(super) fn new() -> (Self, Ended) {
        let (alive, ended) = mpsc::channel(1);
        (Self { alive }, Ended(ended))
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let alive = self.alive.clone();
        tokio::spawn(async move {
            stream.await;
            drop(alive);
        });
    }
}

impl Ended {
    /// Resolves when every stream has ended and every [`Streams`] was dropped.
    pub(super) async fn wait(mut self) {
        self.0.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_wait_ends_with_the_last_stream() {
        let (streams, ended) = Streams::new();
        let (finish, finished) = oneshot::channel::<()>();
        streams.execute(async { finished.await.is_ok() });
        streams.execute(async {});
        drop(streams);
        let waiting = tokio::spawn(ended.wait());
        for _ in 0..3 {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
        }
        finish.send(()).unwrap();
        waiting.await.unwrap();
    }
}
