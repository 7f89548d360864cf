use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{header_fields::HeaderFields, write_through};

/// The client's half of an HTTP/2 connection over a Unix socket, with authorities that HTTP can have.
///
/// grpcio and others send the path of the socket as `:authority`, in percent-encoding or as it is, and no authority of HTTP
/// holds a `%` or a `/`: h2 resets each of their streams
/// ([grpc/grpc#38142](https://github.com/grpc/grpc/issues/38142), [hyperium/h2#487](https://github.com/hyperium/h2/pull/487)).
/// Nothing here reads the authority, so each byte that it cannot have becomes `-`, which changes no length. An authority in the
/// Huffman code is left as it is; these clients do not use it.
pub(super) struct SocketAuthority<Io> {
    io: Io,
    frames: Frames,
}

/// What the bytes of the client's direction are, followed as they are read.
struct Frames {
    place: Place,
    fields: HeaderFields,
}

/// Where the next byte is.
#[derive(Clone, Copy)]
enum Place {
    /// In the head of a frame, of which so many bytes were read.
    Head { head: [u8; HEAD], read: usize },
    /// In what is neither looked at nor changed, so many bytes long; behind it is a block of header fields, and its padding.
    Passing { left: usize, block: usize, padding: usize },
    /// The length of the padding, which comes first.
    PadLength { left: usize, has_priority: bool },
    /// In a block of header fields.
    Block { left: usize, padding: usize },
}

/// How long the preface of a client is, in bytes ([RFC 9113, 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const PREFACE: usize = 24;
/// How long the head of a frame is ([RFC 9113, 4.1](https://www.rfc-editor.org/rfc/rfc9113#section-4.1)).
const HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// How long the priority in front of a block is ([RFC 9113, 6.2](https://www.rfc-editor.org/rfc/rfc9113#section-6.2)).
const PRIORITY_LENGTH: usize = 5;

impl<Io> SocketAuthority<Io> {
    /// Of a connection of which nothing was read.
    pub(super) fn new(io: Io) -> Self {
        let place = Place::Passing { left: PREFACE, block: 0, padding: 0 };
        Self { io, frames: Frames { place, fields: HeaderFields::default() } }
    }
}

impl Frames {
    fn mend(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = self.take(bytes);
            bytes = &mut bytes[taken..];
        }
    }

    /// Takes some of the bytes, of which there is one at least.
    fn take(&mut self, bytes: &mut [u8]) -> usize {
        match self.place {
            Place::Head { mut head, read } => {
                head[read] = bytes[0];
                let read = read + 1;
                self.place = if read < HEAD { Place::Head { head, read } } else { self.begun(head) };
                1
            }
            Place::PadLength { left, has_priority } => {
                self.place = block(left, usize::from(bytes[0]), has_priority);
                1
            }
            Place::Passing { left, block, padding } => {
                let taken = left.min(bytes.len());
                self.place = passing(left - taken, block, padding);
                taken
            }
            Place::Block { left, padding } => {
                let taken = left.min(bytes.len());
                for byte in &mut bytes[..taken] {
                    if self.fields.is_of_authority(*byte) && !is_of_an_authority(*byte) {
                        *byte = b'-';
                    }
                }
                self.place = passing(0, left - taken, padding);
                taken
            }
        }
    }

    /// The place behind the head of a frame.
    fn begun(&mut self, [high, middle, low, kind, flags, ..]: [u8; HEAD]) -> Place {
        let left = u32::from_be_bytes([0, high, middle, low]) as usize;
        match kind {
            HEADERS => {
                self.fields = HeaderFields::default();
                let has_priority = flags & PRIORITY != 0;
                if flags & PADDED != 0 && left > 0 {
                    return Place::PadLength { left: left - 1, has_priority };
                }
                block(left, 0, has_priority)
            }
            CONTINUATION => passing(0, left, 0),
            _ => passing(left, 0, 0),
        }
    }
}

/// A block within these bytes, in front of this padding.
fn block(left: usize, padding: usize, has_priority: bool) -> Place {
    let priority = if has_priority { PRIORITY_LENGTH.min(left) } else { 0 };
    let padding = padding.min(left - priority);
    passing(priority, left - priority - padding, padding)
}

fn passing(left: usize, block: usize, padding: usize) -> Place {
    match (left, block, padding) {
        (0, 0, 0) => Place::Head { head: [0; HEAD], read: 0 },
        (0, 0, padding) => Place::Passing { left: padding, block: 0, padding: 0 },
        (0, block, padding) => Place::Block { left: block, padding },
        (left, block, padding) => Place::Passing { left, block, padding },
    }
}

/// Whether an authority can have the byte ([RFC 3986, 3.2](https://www.rfc-editor.org/rfc/rfc3986#section-3.2)).
fn is_of_an_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@[]".contains(&byte)
}

impl<Io: AsyncRead + Unpin> AsyncRead for SocketAuthority<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.frames.mend(&mut buf.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

write_through!(AsyncWrite for SocketAuthority<Io>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [.., high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[high, middle, low, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// What is read where so many bytes come at a time.
    fn mended(sent: &[u8], at_a_time: usize) -> Vec<u8> {
        let mut frames = SocketAuthority::new(()).frames;
        let mut read = sent.to_vec();
        read.chunks_mut(at_a_time).for_each(|chunk| frames.mend(chunk));
        read
    }

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const DATA: u8 = 0;

    #[test]
    fn only_the_authority_changes_however_it_is_cut() {
        let conversation = |authority: &str| {
            let block =
                [b"\x83\x41", &[authority.len() as u8][..], authority.as_bytes(), b"@\x01a\x03%/%"].concat();
            let (first, rest) = block.split_at(5);
            [
                PREFACE.to_vec(),
                frame(4, 0, b""),
                frame(HEADERS, 4, &block),
                frame(DATA, 0, b"\x41\x03a/b%"),
                frame(HEADERS, 0, first),
                frame(CONTINUATION, 4, rest),
                frame(HEADERS, PADDED | PRIORITY, &[b"\x03\0\0\0\0\x10", &block[..], b"\x41\x01%"].concat()),
                frame(HEADERS, PRIORITY, &[b"\0\0\0\0\x10", &block[..]].concat()),
            ]
            .concat()
        };
        let sent = conversation("tmp%2Fa/b.sock");
        for at_a_time in 1..sent.len() {
            assert_eq!(mended(&sent, at_a_time), conversation("tmp-2Fa-b.sock"), "{at_a_time}");
        }
        let sound = conversation("user@[::1]:7001");
        assert_eq!(mended(&sound, 7), sound);
    }

    #[tokio::test]
    async fn what_is_read_is_mended() {
        let sent = [PREFACE, &frame(HEADERS, 4, b"\x41\x03a/b")].concat();
        let mut read = Vec::new();
        SocketAuthority::new(&sent[..]).read_to_end(&mut read).await.unwrap();
        assert!(read.ends_with(b"\x41\x03a-b"), "{read:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes: Vec<u8>, at_a_time in 1_usize..50) {
            let sent = [PREFACE, &bytes].concat();
            prop_assert_eq!(mended(&sent, at_a_time).len(), sent.len());
        }
    }
}
