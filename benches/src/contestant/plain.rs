//! What the contestants without a framework say on a stream of their own: one byte for what is asked, and the
//! rest up to the end of the stream.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::Result;
use crate::pattern::{Check, Script};

/// The longest request or answer that either side reads, in bytes: polywire's default for a message.
pub(super) const LIMIT: usize = 4 << 20;

/// The first byte of a call whose rest comes back.
pub(super) const ECHO: u8 = 0;

/// The first byte of a call that is answered with a stream.
pub(super) const SUBSCRIBE: u8 = 1;

/// What a server is asked.
pub(super) enum Request<'a> {
    Echo(&'a [u8]),
    Subscribe(Script),
}

impl<'a> Request<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (kind, rest) = bytes.split_first().ok_or("an empty request")?;
        match *kind {
            ECHO => Ok(Self::Echo(rest)),
            SUBSCRIBE => script(rest).map(Self::Subscribe),
            kind => Err(format!("nobody knows what {kind} asks for").into()),
        }
    }
}

fn script(bytes: &[u8]) -> Result<Script> {
    let (words, rest) = bytes.as_chunks::<8>();
    match (words, rest) {
        ([seed, count, size], []) => Ok(Script {
            seed: u64::from_le_bytes(*seed),
            count: u64::from_le_bytes(*count),
            size: u64::from_le_bytes(*size),
        }),
        _ => Err(format!("a script of {} bytes; expected 24", bytes.len()).into()),
    }
}

/// The whole request for a stream.
pub(super) fn subscribe(script: Script) -> Bytes {
    let mut request = BytesMut::with_capacity(25);
    request.put_u8(SUBSCRIBE);
    for word in [script.seed, script.count, script.size] {
        request.put_u64_le(word);
    }
    request.freeze()
}

/// Sends each message as it is there, with its length before it.
pub(super) async fn send_all(script: Script, send: impl AsyncWrite + Unpin) -> Result<()> {
    let mut messages = FramedWrite::new(send, LengthDelimitedCodec::new());
    for message in script.messages() {
        messages.send(message).await?;
    }
    Ok(())
}

/// Shows each message to the check, up to the end of the stream.
pub(super) async fn receive_all(recv: impl AsyncRead + Unpin, check: &mut Check) -> Result<()> {
    let mut messages = FramedRead::new(recv, LengthDelimitedCodec::new());
    while let Some(message) = messages.next().await {
        check.message(&message?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let script = Script { seed: 1, count: 2, size: 3 };
        assert!(
            matches!(Request::parse(&subscribe(script)).unwrap(), Request::Subscribe(read) if read == script)
        );
        assert!(matches!(Request::parse(&[ECHO, 5]).unwrap(), Request::Echo([5])));
        assert!(Request::parse(&[]).is_err());
        assert!(Request::parse(&[7]).is_err());
        assert!(Request::parse(&subscribe(script)[..24]).is_err());
    }
}
