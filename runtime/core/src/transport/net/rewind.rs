use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::write_through;

/// An IO whose first bytes were read already and are read once more.
pub(crate) struct Rewound<Io> {
    early: Bytes,
    io: Io,
}

impl<Io> Rewound<Io> {
    pub(crate) fn new(early: Bytes, io: Io) -> Self {
        Self { early, io }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Rewound<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let now = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early[..now]);
        self.early.advance(now);
        if self.early.is_empty() {
            // Gives the buffer back, which may be as large as a SETTINGS frame, for the life of the
            // connection.
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

write_through!(AsyncWrite for Rewound<Io>);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn early_bytes_come_first_and_once() {
        let (mut client, server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut client, b"world").await.unwrap();
        drop(client);
        let mut rewound = Rewound::new(Bytes::from_static(b"hello "), server);
        let mut first = [0; 2];
        rewound.read_exact(&mut first).await.unwrap();
        let mut rest = String::new();
        rewound.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&first, rest.as_str()), (b"he", "llo world"));
    }
}
