use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where connections come from.
pub(super) trait Accept: Send {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Takes the next connection. Must be cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<Accepted<Self::Io>>> + Send;
}

/// A connection as it was accepted.
pub(super) struct Accepted<Io> {
    pub(super) io: Io,
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

impl Accept for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<Accepted<TcpStream>> {
        let (io, remote) = Self::accept(self).await?;
        let local = io.local_addr()?;
        // HTTP/2 writes small frames that are waited for; Nagle would hold them back for a round trip.
        // Failing means that the client is gone already, which reading will find out.
        let _ = io.set_nodelay(true);
        Ok(Accepted { io, remote, local })
    }
}

/// Accepts for ever: an error costs a pause, not the listener.
///
/// When descriptors run out (EMFILE, ENFILE) the connection stays in the backlog, so that an immediate retry
/// fails at once again and the loop eats a core. The pause doubles from 50 ms to 1 s and ends with the first
/// success.
pub(super) struct Acceptor<A> {
    source: A,
    trouble: Option<Trouble>,
}

/// Accepting has failed since the last success.
struct Trouble {
    failures: u64,
    since: Instant,
    pause: Duration,
    retry_at: Instant,
}

impl<A: Accept> Acceptor<A> {
    pub(super) fn new(source: A) -> Self {
        Self { source, trouble: None }
    }

    /// The next connection.
    ///
    /// Cancel safe: when to try again is kept in `self`, so that being cancelled often neither shortens nor
    /// prolongs a pause.
    pub(super) async fn next(&mut self) -> Accepted<A::Io> {
        loop {
            if let Some(trouble) = &self.trouble {
                sleep_until(trouble.retry_at).await;
            }
            match self.source.accept().await {
                Ok(accepted) => {
                    self.recovered();
                    return accepted;
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    fn recovered(&mut self) {
        if let Some(Trouble { failures, since, .. }) = self.trouble.take() {
            tracing::info!(failures, after = ?since.elapsed(), "accepting connections again");
        }
    }

    /// Logs the first failure of a burst only: a log line needs a descriptor and disk too.
    fn failed(&mut self, error: &io::Error) {
        let now = Instant::now();
        let trouble = match self.trouble.take() {
            None => {
                tracing::warn!(%error, "cannot accept connections, will keep trying");
                Trouble { failures: 1, since: now, pause: FIRST_PAUSE, retry_at: now + FIRST_PAUSE }
            }
            Some(Trouble { failures, since, pause, .. }) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                Trouble { failures: failures + 1, since, pause, retry_at: now + pause }
            }
        };
        self.trouble = Some(trouble);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    /// Out of descriptors until `free_at`.
    struct Exhausted {
        free_at: Instant,
        attempts: Arc<AtomicUsize>,
    }

    impl Accept for Exhausted {
        type Io = DuplexStream;

        async fn accept(&mut self) -> io::Result<Accepted<DuplexStream>> {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            if Instant::now() < self.free_at {
                return Err(io::Error::other("too many open files"));
            }
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
            Ok(Accepted { io: duplex(64).0, remote: nowhere, local: nowhere })
        }
    }

    fn exhausted_for(time: Duration) -> (Acceptor<Exhausted>, Arc<AtomicUsize>) {
        let attempts = Arc::new(AtomicUsize::new(0));
        let source = Exhausted { free_at: Instant::now() + time, attempts: attempts.clone() };
        (Acceptor::new(source), attempts)
    }

    #[tokio::test(start_paused = true)]
    async fn exhausted_descriptors_cost_a_try_a_second() {
        let (mut acceptor, attempts) = exhausted_for(Duration::from_secs(3_600));
        timeout(Duration::from_secs(60), acceptor.next()).await.err().expect("nothing can be accepted");
        let attempts = attempts.load(Ordering::Relaxed);
        assert!((55..=70).contains(&attempts), "{attempts} attempts in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_resumes_within_a_second_of_recovery() {
        let (mut acceptor, _) = exhausted_for(Duration::from_millis(7_300));
        let began = Instant::now();
        acceptor.next().await;
        assert!(began.elapsed() <= Duration::from_millis(8_300), "{:?}", began.elapsed());
        assert!(acceptor.trouble.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_does_not_shorten_a_pause() {
        let (mut acceptor, attempts) = exhausted_for(Duration::from_secs(3_600));
        for _ in 0..1_000 {
            let _ = timeout(Duration::from_millis(10), acceptor.next()).await;
        }
        let attempts = attempts.load(Ordering::Relaxed);
        assert!((10..=15).contains(&attempts), "{attempts} attempts in ten seconds");
    }
}
