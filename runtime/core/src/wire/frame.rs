use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{WireError, varint::peek_varint};
use crate::{Compression, Status};

/// The type of a frame that this side understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// What leads a direction: where the call goes, or the answer's leading metadata.
    Head = 0x01,
    /// One message.
    Message = 0x02,
    /// The end of a direction; of the answer, with its status.
    End = 0x03,
    /// One message, compressed as the head of its direction says.
    Compressed = 0x04,
}

/// One frame, its payload a slice of what arrived where that came in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The type.
    pub kind: FrameKind,
    /// What the frame carries.
    pub payload: Bytes,
}

/// The bit of a frame's type, or of a field's tag, that says a reader may skip what it does not know.
pub(super) const MAY_SKIP: u8 = 0x80;

/// How many bytes of a message's length are reserved before the message is encoded: a four-byte
/// variable-length integer, which RFC 9000 lets hold a small value too.
const LENGTH: usize = 4;

/// Once this many bytes of a frame have arrived, room is made for all of it, which growing on step by step
/// would copy once more. An announcement alone makes no room.
const COMMITTED: usize = 64 << 10;

/// Appends a message frame: the length is reserved, `encode` appends the message behind it, and the
/// length is filled in.
///
/// # Errors
/// What `encode` says, or `ResourceExhausted` where the message is larger than `limit` bytes. What was
/// appended is taken back.
pub fn put_message(
    buffer: &mut BytesMut,
    limit: usize,
    encode: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
) -> Result<(), Status> {
    put_compressible_message(buffer, limit, None, encode)
}

/// As [`put_message`]; where there is a compression and it makes the message smaller, the frame is of the kind
/// [`FrameKind::Compressed`]. The limit is on the message before that.
///
/// # Errors
/// As [`put_message`], and `Unimplemented` where this build does not know the compression.
pub fn put_compressible_message(
    buffer: &mut BytesMut,
    limit: usize,
    compression: Option<Compression>,
    encode: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
) -> Result<(), Status> {
    let start = buffer.len();
    buffer.put_u8(FrameKind::Message as u8);
    buffer.put_bytes(0, LENGTH);
    let body = buffer.len();
    let outcome = encode(buffer).and_then(|()| {
        let length = message_length(buffer.len() - body, limit)?;
        match compression {
            // What is compressed is shorter, so its length fits too.
            Some(compression) if compression.compress_from(body, buffer)? => {
                buffer[start] = FrameKind::Compressed as u8;
                Ok((buffer.len() - body) as u32)
            }
            _ => Ok(length),
        }
    });
    match outcome {
        Ok(length) => {
            buffer[body - LENGTH..body].copy_from_slice(&(length | 0x8000_0000).to_be_bytes());
            Ok(())
        }
        Err(status) => {
            buffer.truncate(start);
            Err(status)
        }
    }
}

fn message_length(size: usize, limit: usize) -> Result<u32, WireError> {
    let length = u32::try_from(size).ok().filter(|length| size <= limit && *length < 1 << 30);
    length.ok_or(WireError::TooLarge { what: "message to send", size: size as u64, limit })
}

/// Appends the end of the caller's direction.
pub fn put_end(buffer: &mut BytesMut) {
    buffer.put_slice(&[FrameKind::End as u8, 0]);
}

/// Appends a frame whose payload `fill` appends. For payloads that are short as a rule.
pub(super) fn put_frame(buffer: &mut BytesMut, kind: FrameKind, fill: impl FnOnce(&mut BytesMut)) {
    buffer.put_u8(kind as u8);
    let length = buffer.len();
    buffer.put_u8(0);
    fill(buffer);
    let size = buffer.len() - length - 1;
    if let Ok(short @ 0..=0x3f) = u8::try_from(size) {
        buffer[length] = short;
        return;
    }
    let payload = buffer.split_off(length + 1);
    buffer.truncate(length);
    super::put_varint(buffer, size as u64);
    buffer.unsplit(payload);
}

/// Cuts what arrives into frames.
#[derive(Debug)]
pub struct FrameReader {
    /// What arrived and has not been cut.
    chunk: Bytes,
    /// The beginning of a frame whose rest has not arrived; grows with what arrives, until that is
    /// [`COMMITTED`].
    partial: BytesMut,
    /// How much of a skipped frame is still to come.
    skip: u64,
    message_limit: usize,
    head_limit: usize,
}

impl FrameReader {
    /// A reader that takes messages up to `message_limit` bytes, and heads and ends up to `head_limit`.
    pub fn new(message_limit: usize, head_limit: usize) -> Self {
        Self { chunk: Bytes::new(), partial: BytesMut::new(), skip: 0, message_limit, head_limit }
    }

    /// Lowers the limit on messages, once it is known which method is called.
    pub fn limit_messages(&mut self, limit: usize) {
        self.message_limit = self.message_limit.min(limit);
    }

    /// The limit on messages, in bytes.
    pub fn message_limit(&self) -> usize {
        self.message_limit
    }

    /// Gives the reader what arrived next. Call [`next_frame`](Self::next_frame) until it has no more, first.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(std::mem::take(&mut self.chunk));
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// Takes the first byte of the stream; `None` until it has arrived.
    pub fn take_kind(&mut self) -> Option<u8> {
        (!self.chunk.is_empty()).then(|| self.chunk.get_u8())
    }

    /// Whether a frame has begun to arrive and not ended.
    pub fn is_amid_frame(&self) -> bool {
        !self.partial.is_empty() || !self.chunk.is_empty() || self.skip > 0
    }

    /// The next whole frame; `None` until more arrives. Frames that may be skipped and are not known
    /// are skipped, at no cost in memory.
    ///
    /// # Errors
    /// When a frame must be understood and is not, or is larger than its limit. The direction cannot be
    /// read further then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        loop {
            if self.skip > 0 {
                let skipped = self.skip.min(self.chunk.len() as u64);
                self.chunk.advance(skipped as usize);
                self.skip -= skipped;
                if self.skip > 0 {
                    return Ok(None);
                }
            }
            let Some(header) = self.header()? else { return Ok(None) };
            match header.kind {
                Some(kind) => return Ok(self.payload(&header).map(|payload| Frame { kind, payload })),
                None => {
                    // Only the header can be in `partial` yet: it is looked at byte by byte.
                    if self.partial.is_empty() {
                        self.chunk.advance(header.length);
                    }
                    self.partial.clear();
                    self.skip = header.size;
                }
            }
        }
    }

    fn header(&mut self) -> Result<Option<Header>, WireError> {
        loop {
            let view = if self.partial.is_empty() { &self.chunk[..] } else { &self.partial[..] };
            if let Some(header) = Header::parse(view) {
                self.check(&header)?;
                return Ok(Some(header));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
            // The header is torn. It is at most nine bytes long, so it may be mended byte by byte.
            let byte = self.chunk.get_u8();
            self.partial.put_u8(byte);
        }
    }

    fn check(&self, header: &Header) -> Result<(), WireError> {
        let (what, limit) = match header.kind {
            Some(FrameKind::Message | FrameKind::Compressed) => ("message", self.message_limit),
            Some(FrameKind::Head) => ("head", self.head_limit),
            Some(FrameKind::End) => ("end", self.head_limit),
            None if header.byte & MAY_SKIP != 0 => return Ok(()),
            None => return Err(WireError::UnknownFrame(header.byte)),
        };
        if header.size > limit as u64 {
            return Err(WireError::TooLarge { what, size: header.size, limit });
        }
        Ok(())
    }

    fn payload(&mut self, header: &Header) -> Option<Bytes> {
        let total = header.length + header.size as usize;
        if self.partial.is_empty() && self.chunk.len() >= total {
            let mut frame = self.chunk.split_to(total);
            frame.advance(header.length);
            return Some(frame);
        }
        let missing = total - self.partial.len();
        let arrived = self.chunk.split_to(missing.min(self.chunk.len()));
        if self.partial.len() >= COMMITTED {
            self.partial.reserve(missing);
        }
        self.partial.extend_from_slice(&arrived);
        if self.partial.len() < total {
            return None;
        }
        let mut frame = self.partial.split().freeze();
        frame.advance(header.length);
        Some(frame)
    }
}

struct Header {
    byte: u8,
    kind: Option<FrameKind>,
    size: u64,
    length: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&byte, rest) = bytes.split_first()?;
        let (size, length) = peek_varint(rest)?;
        let kind = match byte {
            0x01 => Some(FrameKind::Head),
            0x02 => Some(FrameKind::Message),
            0x03 => Some(FrameKind::End),
            0x04 => Some(FrameKind::Compressed),
            _ => None,
        };
        Some(Self { byte, kind, size, length: 1 + length })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(buffer: &mut BytesMut, body: &[u8]) {
        put_message(buffer, 1 << 20, |buffer| {
            buffer.put_slice(body);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn an_unknown_frame_that_may_be_skipped_is_skipped() {
        let mut buffer = BytesMut::from(&[0x9f, 3, 1, 2, 3][..]);
        message(&mut buffer, b"hello");
        let mut reader = FrameReader::new(10, 10);
        reader.push(buffer.freeze());
        assert_eq!(reader.next_frame().unwrap().unwrap().payload, "hello");
    }

    #[test]
    fn an_unknown_frame_that_must_be_understood_is_an_error() {
        let mut reader = FrameReader::new(10, 10);
        reader.push(Bytes::from_static(&[0x1f, 0]));
        assert_eq!(reader.next_frame(), Err(WireError::UnknownFrame(0x1f)));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_kept() {
        let mut reader = FrameReader::new(10, 10);
        reader.push(Bytes::from_static(&[0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
        assert!(matches!(reader.next_frame(), Err(WireError::TooLarge { limit: 10, .. })));
        assert_eq!(reader.partial.capacity(), 0);
    }

    #[test]
    fn an_announced_length_makes_no_room_before_enough_has_arrived() {
        let size = 1 << 20;
        let mut frame = BytesMut::new();
        message(&mut frame, &vec![7; size]);
        let mut reader = FrameReader::new(size, 0);
        reader.push(frame.split_to(1000).freeze());
        assert_eq!(reader.next_frame(), Ok(None));
        assert!(reader.partial.capacity() < COMMITTED);
        reader.push(frame.split_to(COMMITTED).freeze());
        reader.next_frame().unwrap();
        reader.push(frame.split_to(1000).freeze());
        reader.next_frame().unwrap();
        assert!(reader.partial.capacity() > size);
        reader.push(frame.freeze());
        assert_eq!(reader.next_frame().unwrap().unwrap().payload, vec![7; size]);
    }

    #[test]
    fn a_message_over_the_senders_limit_is_taken_back() {
        let mut buffer = BytesMut::from(&b"before"[..]);
        let outcome = put_message(&mut buffer, 2, |buffer| {
            buffer.put_slice(b"abc");
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().code(), crate::Code::ResourceExhausted);
        assert_eq!(buffer, "before");
    }

    proptest! {
        #[test]
        fn frames_survive_being_torn_anywhere(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            skips in proptest::collection::vec(any::<bool>(), 6),
            piece in 1..50usize,
        ) {
            let mut buffer = BytesMut::new();
            for (body, skip) in bodies.iter().zip(&skips) {
                if *skip {
                    buffer.put_slice(&[0x80, 0x40, 70]);
                    buffer.put_bytes(7, 70);
                }
                message(&mut buffer, body);
            }
            let mut reader = FrameReader::new(300, 0);
            let mut read = Vec::new();
            for piece in buffer.chunks(piece) {
                reader.push(Bytes::copy_from_slice(piece));
                while let Some(frame) = reader.next_frame().unwrap() {
                    read.push(frame.payload.to_vec());
                }
            }
            prop_assert_eq!(read, bodies);
            prop_assert!(!reader.is_amid_frame());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1..50usize) {
            let mut reader = FrameReader::new(100, 100);
            for piece in bytes.chunks(piece) {
                reader.push(Bytes::copy_from_slice(piece));
                loop {
                    match reader.next_frame() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
    }
}
