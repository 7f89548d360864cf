use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// An IO that fails with [`io::ErrorKind::TimedOut`] when a write has not moved for too long.
///
/// TCP alone waits a quarter of an hour for a peer that vanished, and for ever for one that keeps its window
/// closed.
pub(super) struct WriteStall<Io> {
    io: Io,
    limit: Duration,
    since: Option<Instant>,
    /// Kept over the end of a stall: a busy connection stalls often and shortly, and a timer is an
    /// allocation.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Io> WriteStall<Io> {
    pub(super) fn new(io: Io, limit: Duration) -> Self {
        Self { io, limit, since: None, timer: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.since = None;
            return outcome;
        }
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        // A timer of an earlier stall fires too early for this one, and is then set again.
        while Instant::now() < end {
            ready!(timer.as_mut().poll(cx).map(|()| timer.as_mut().reset(end)));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read what is written")))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for WriteStall<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for WriteStall<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_reads_is_given_up() {
        let (_peer, io) = duplex(16);
        let began = Instant::now();
        let error = WriteStall::new(io, LIMIT).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_that_keeps_reading_is_served() {
        let (mut peer, io) = duplex(16);
        let reader = tokio::spawn(async move {
            let mut seen = [0; 16];
            for _ in 0..8 {
                sleep(LIMIT * 3 / 4).await;
                peer.read_exact(&mut seen).await.unwrap();
            }
        });
        WriteStall::new(io, LIMIT).write_all(&[0; 128]).await.unwrap();
        reader.await.unwrap();
    }
}
