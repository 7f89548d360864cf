use std::{
    fmt::Display,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::write_through;

/// What a peer said first on the connection that was made last: by that it shows whether it speaks TLS. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstByte(Arc<AtomicU16>);

/// There is no connection.
const NONE: u16 = 0;
/// There is one, and the peer has said nothing.
const SILENT: u16 = 1;
/// Above the byte that came first.
const HEARD: u16 = 0x100;

impl FirstByte {
    /// Listens to a connection that has just been made.
    pub(crate) fn of<Io>(&self, io: Io) -> Heard<Io> {
        self.0.store(SILENT, Ordering::Relaxed);
        Heard { io, first: Some(self.clone()) }
    }

    /// No connection could be made, or a new one is.
    #[cfg(any(test, feature = "grpc"))]
    pub(crate) fn clear(&self) {
        self.0.store(NONE, Ordering::Relaxed);
    }

    /// What a failure probably comes from where this side speaks TLS or plaintext and the peer the other; `other` is the
    /// target that would suit it.
    pub(crate) fn mistake(&self, tls: bool, other: impl Display) -> Option<String> {
        match (self.0.load(Ordering::Relaxed), tls) {
            (NONE, _) => None,
            // A TLS server that does not understand what it reads may just leave.
            (SILENT, false) => {
                Some(format!("the peer said nothing; does it speak TLS? then expected {other}"))
            }
            // Nor has a server of HTTP/2 an answer to what is none.
            (SILENT, true) => {
                Some(format!("the peer said nothing; does it speak TLS? if not, expected {other}"))
            }
            (heard, false) if is_tls(heard) => Some(format!("the peer speaks TLS; expected {other}")),
            (heard, true) if heard >= HEARD && !is_tls(heard) => {
                Some(format!("the peer does not speak TLS; expected {other}"))
            }
            _ => None,
        }
    }
}

/// Whether this is the type of a TLS record (RFC 8446, section 5.1). HTTP/2 begins with 0, HTTP/1 with a letter.
fn is_tls(heard: u16) -> bool {
    (HEARD + 20..=HEARD + 23).contains(&heard)
}

/// A connection whose first byte is noted.
pub(crate) struct Heard<Io> {
    io: Io,
    first: Option<FirstByte>,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Heard<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(task, buffer))?;
        if let Some(byte) = buffer.filled().get(before)
            && let Some(first) = self.first.take()
        {
            first.0.store(HEARD | u16::from(*byte), Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

write_through!(AsyncWrite for Heard<Io>);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn heard(bytes: &[u8]) -> FirstByte {
        let first = FirstByte::default();
        let mut all = Vec::new();
        first.of(bytes).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, bytes);
        first
    }

    #[tokio::test]
    async fn the_first_byte_tells_tls_from_plaintext() {
        const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 10];
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        for (bytes, tls, expected) in [
            (ALERT, false, Some("the peer speaks TLS; expected x")),
            (SETTINGS, true, Some("the peer does not speak TLS; expected x")),
            (b"HTTP/1.1 400", true, Some("the peer does not speak TLS; expected x")),
            (b"", false, Some("the peer said nothing; does it speak TLS? then expected x")),
            (SETTINGS, false, None),
            (ALERT, true, None),
            (b"", true, Some("the peer said nothing; does it speak TLS? if not, expected x")),
        ] {
            assert_eq!(heard(bytes).await.mistake(tls, "x").as_deref(), expected, "{bytes:?}");
        }
        let refused = heard(ALERT).await;
        refused.clear();
        assert_eq!(refused.mistake(false, "x"), None, "of a connection that was not made nothing is known");
    }
}
