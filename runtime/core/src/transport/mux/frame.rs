use bytes::{Buf, BufMut, BytesMut};

use super::error::Violation;
use crate::wire::{self, StreamCode, peek_varint};

/// The largest payload of a frame, in bytes: as HTTP/2's at first (RFC 9113, section 4.2), small enough that a
/// large message does not hold up a small one for long.
pub(super) const MAX_PAYLOAD: usize = 16 << 10;

/// The largest number that a variable-length integer holds.
pub(super) const MAX_NUMBER: u64 = (1 << 62) - 1;

const DATA: u8 = 0x01;
const FIN: u8 = 0x02;
const RESET: u8 = 0x03;
const STOP: u8 = 0x04;
const WINDOW: u8 = 0x05;
const PING: u8 = 0x06;
const PONG: u8 = 0x07;
const CLOSE: u8 = 0x08;

/// Set in the types of frames that may be skipped where they are not known.
const MAY_SKIP: u8 = 0x80;

/// How many bytes of a reason are written: it is for people.
const MAX_REASON: usize = 512;

/// A frame that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Bytes of a stream; `fin` where the direction ends with them.
    Data { stream: u64, payload: BytesMut, fin: bool },
    /// The writer gives the direction up.
    Reset { stream: u64, code: StreamCode },
    /// The reader wants no more of the direction.
    Stop { stream: u64, code: StreamCode },
    /// So many bytes more may be sent on the stream, or, where it is 0, on the connection.
    Window { stream: u64, credit: u64 },
    /// Asks for the same bytes back.
    Ping([u8; 8]),
    /// The answer to a ping.
    Pong([u8; 8]),
    /// The connection is over.
    Close { code: u64, reason: String },
    /// A frame that is not known and need not be.
    Skipped,
}

impl Frame {
    /// Takes the next frame off the front; `None` where it has not arrived whole.
    pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Violation> {
        let Some(header) = Header::peek(buffer) else {
            return Ok(None);
        };
        if header.payload > MAX_PAYLOAD as u64 {
            return Err(Violation::protocol("a frame is larger than 16,384 bytes"));
        }
        let whole = header.length + header.payload as usize;
        if buffer.len() < whole {
            return Ok(None);
        }
        let mut payload = buffer.split_to(whole);
        payload.advance(header.length);
        Self::parse(header.kind, header.stream, payload).map(Some)
    }

    fn parse(kind: u8, stream: u64, payload: BytesMut) -> Result<Self, Violation> {
        let of_stream = matches!(kind, DATA | FIN | RESET | STOP);
        if of_stream && stream == 0 {
            return Err(Violation::protocol("a frame of a stream names stream 0"));
        }
        if matches!(kind, PING | PONG | CLOSE) && stream != 0 {
            return Err(Violation::protocol("a frame of the connection names a stream"));
        }
        Ok(match kind {
            DATA | FIN => Self::Data { stream, payload, fin: kind == FIN },
            RESET => Self::Reset { stream, code: StreamCode::from_number(number(&payload)?) },
            STOP => Self::Stop { stream, code: StreamCode::from_number(number(&payload)?) },
            WINDOW => Self::Window { stream, credit: number(&payload)? },
            PING => Self::Ping(eight(&payload)?),
            PONG => Self::Pong(eight(&payload)?),
            CLOSE => {
                let (code, length) =
                    peek_varint(&payload).ok_or(Violation::protocol("a CLOSE frame has no code"))?;
                let reason = String::from_utf8_lossy(&payload[length..]).into_owned();
                Self::Close { code, reason }
            }
            kind if kind & MAY_SKIP != 0 => Self::Skipped,
            _ => return Err(Violation::protocol("a frame is of a type that is not known")),
        })
    }
}

/// What a frame begins with.
struct Header {
    kind: u8,
    stream: u64,
    payload: u64,
    length: usize,
}

impl Header {
    fn peek(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let (stream, of_stream) = peek_varint(rest)?;
        let (payload, of_payload) = peek_varint(&rest[of_stream..])?;
        Some(Self { kind, stream, payload, length: 1 + of_stream + of_payload })
    }
}

fn number(payload: &[u8]) -> Result<u64, Violation> {
    match peek_varint(payload) {
        Some((number, length)) if length == payload.len() => Ok(number),
        _ => Err(Violation::protocol("the payload of a frame is not one variable-length integer")),
    }
}

fn eight(payload: &[u8]) -> Result<[u8; 8], Violation> {
    payload.try_into().map_err(|_| Violation::protocol("the payload of a PING or PONG is not of eight bytes"))
}

/// Appends the header of a frame of a stream's bytes, `length` of which follow.
pub(super) fn put_data(buffer: &mut BytesMut, stream: u64, fin: bool, length: usize) {
    put_header(buffer, if fin { FIN } else { DATA }, stream, length);
}

pub(super) fn put_reset(buffer: &mut BytesMut, stream: u64, code: StreamCode) {
    put_number(buffer, RESET, stream, code.number().into());
}

pub(super) fn put_stop(buffer: &mut BytesMut, stream: u64, code: StreamCode) {
    put_number(buffer, STOP, stream, code.number().into());
}

pub(super) fn put_window(buffer: &mut BytesMut, stream: u64, credit: u64) {
    put_number(buffer, WINDOW, stream, credit);
}

pub(super) fn put_ping(buffer: &mut BytesMut, payload: [u8; 8]) {
    put_header(buffer, PING, 0, payload.len());
    buffer.put_slice(&payload);
}

pub(super) fn put_pong(buffer: &mut BytesMut, payload: [u8; 8]) {
    put_header(buffer, PONG, 0, payload.len());
    buffer.put_slice(&payload);
}

pub(super) fn put_close(buffer: &mut BytesMut, code: u64, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    let mut number = BytesMut::new();
    wire::put_varint(&mut number, code);
    put_header(buffer, CLOSE, 0, number.len() + reason.len());
    buffer.put_slice(&number);
    buffer.put_slice(reason.as_bytes());
}

fn put_number(buffer: &mut BytesMut, kind: u8, stream: u64, number: u64) {
    let mut payload = BytesMut::with_capacity(8);
    wire::put_varint(&mut payload, number);
    put_header(buffer, kind, stream, payload.len());
    buffer.put_slice(&payload);
}

fn put_header(buffer: &mut BytesMut, kind: u8, stream: u64, length: usize) {
    buffer.put_u8(kind);
    wire::put_varint(buffer, stream);
    wire::put_varint(buffer, length as u64);
}
