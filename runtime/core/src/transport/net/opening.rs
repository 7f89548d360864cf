use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a client sends first ([RFC 9113, 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const MAGIC: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags and stream of a frame ([RFC 9113,
/// 4.1](https://www.rfc-editor.org/rfc/rfc9113#section-4.1)).
const FRAME_HEADER: usize = 9;
const SETTINGS: u8 = 4;
/// The one flag that SETTINGS has ([RFC 9113, 6.5](https://www.rfc-editor.org/rfc/rfc9113#section-6.5)): it
/// answers SETTINGS, and there are none to answer yet.
const ACK: u8 = 1;
/// The bit of a stream's number that means nothing.
const RESERVED: u8 = 0x80;
/// The initial SETTINGS_MAX_FRAME_SIZE; nothing larger may come before we allow it.
const MAX_PAYLOAD: usize = 16_384;

/// Reads the HTTP/2 client preface and the first SETTINGS frame, and returns all that was read.
///
/// hyper would read the same, but without a deadline that ends: it waits for the 24 bytes for ever, and what
/// comes a byte at a time looks alive.
pub(super) async fn read_opening<Io: AsyncRead + Unpin>(io: &mut Io) -> io::Result<Bytes> {
    let mut seen = BytesMut::with_capacity(256);
    while seen.len() < wanted(&seen)? {
        if io.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(seen.freeze())
}

/// The length of the whole opening, as far as the bytes seen so far tell.
fn wanted(seen: &[u8]) -> io::Result<usize> {
    let (magic, frame) = seen.split_at(seen.len().min(MAGIC.len()));
    if !MAGIC.starts_with(magic) {
        return Err(invalid("not an HTTP/2 client preface"));
    }
    let Some(&[high, middle, low, kind, flags, ref stream @ ..]) = frame.first_chunk::<FRAME_HEADER>() else {
        return Ok(MAGIC.len() + FRAME_HEADER);
    };
    let payload = u32::from_be_bytes([0, high, middle, low]) as usize;
    // Other flags, and the reserved bit, are to be ignored.
    let on_connection = matches!(stream, [0 | RESERVED, 0, 0, 0]);
    if kind != SETTINGS || flags & ACK != 0 || !on_connection {
        return Err(invalid("the first frame is not SETTINGS"));
    }
    if payload > MAX_PAYLOAD {
        return Err(invalid("the first SETTINGS frame is too large"));
    }
    Ok(MAGIC.len() + FRAME_HEADER + payload)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opening(payload: usize) -> Vec<u8> {
        let [.., high, middle, low] = u32::try_from(payload).unwrap().to_be_bytes();
        let mut bytes = MAGIC.to_vec();
        bytes.extend([high, middle, low, SETTINGS, 0, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + payload, 0);
        bytes
    }

    #[tokio::test]
    async fn an_opening_may_come_in_pieces_and_bring_more() {
        let mut bytes = opening(18);
        bytes.extend(b"and a request");
        let (head, tail) = bytes.split_at(30);
        let seen = read_opening(&mut head.chain(tail)).await.unwrap();
        assert_eq!(seen, bytes);
    }

    #[tokio::test]
    async fn another_protocol_is_refused_at_its_first_bytes() {
        let (mut client, mut server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut client, b"GE").await.unwrap();
        let refused = read_opening(&mut server).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn an_opening_cut_short_is_an_end_of_file() {
        let cut = opening(18);
        let error = read_opening(&mut &cut[..40]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn only_settings_of_a_permitted_size_come_first() {
        assert_eq!(wanted(&opening(0)).unwrap(), 33);
        assert_eq!(wanted(&opening(MAX_PAYLOAD)[..33]).unwrap(), 33 + MAX_PAYLOAD);
        assert!(wanted(&opening(MAX_PAYLOAD + 1)[..33]).is_err());
        let mut ping = opening(8);
        ping[27] = 6;
        assert!(wanted(&ping).is_err());
    }

    #[test]
    fn bits_that_mean_nothing_are_ignored() {
        let mut bytes = opening(0);
        bytes[28] = !ACK;
        bytes[29] = RESERVED;
        assert_eq!(wanted(&bytes).unwrap(), 33);
        bytes[28] = ACK;
        assert!(wanted(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic_or_want_much(bytes: Vec<u8>) {
            let mut after_magic = MAGIC.to_vec();
            after_magic.extend(&bytes);
            for seen in [bytes, after_magic] {
                if let Ok(wanted) = wanted(&seen) {
                    prop_assert!(wanted <= 33 + MAX_PAYLOAD);
                }
            }
        }
    }
}
