use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    CALL, FrameKind, WireError,
    field::{self, METADATA},
    frame::put_frame,
    put_varint, take_varint,
};
use crate::{Codec, Compression, CompressionSet, Metadata};

/// What leads the caller's direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, `/package.Service/Method`, in UTF-8.
    pub path: Bytes,
    /// The codec of the messages, in both directions.
    pub codec: Codec,
    /// Whether the caller sends exactly one message and expects exactly one.
    pub unary: bool,
    /// How long the caller still waits.
    pub timeout: Option<Duration>,
    /// How messages may be compressed, in both directions.
    pub compression: RequestCompression,
    /// The call's metadata.
    pub metadata: Metadata,
}

/// What a request head says of compression. The default is that nothing is, either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCompression {
    /// What the caller's messages may be compressed with.
    pub requests: Option<Compression>,
    /// What the answer's may be.
    pub answers: CompressionSet,
}

/// What leads the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// What the answer's messages may be compressed with.
    pub compression: Option<Compression>,
    /// The answer's leading metadata.
    pub metadata: Metadata,
}

const PATH: u8 = 0x01;
const CODEC: u8 = 0x02;
const COMPRESSION: u8 = 0x04;
const UNARY: u8 = 0x81;
const TIMEOUT: u8 = 0x82;
const ACCEPTS: u8 = 0x83;

/// Appends the first byte of a call's stream and the head.
pub fn put_request_head(
    buffer: &mut BytesMut,
    path: &str,
    codec: Codec,
    unary: bool,
    timeout: Option<Duration>,
    compression: RequestCompression,
    metadata: &Metadata,
) {
    buffer.put_u8(CALL);
    put_frame(buffer, FrameKind::Head, |buffer| {
        field::put(buffer, PATH, path.as_bytes());
        field::put(buffer, CODEC, &[codec_number(codec)]);
        if unary {
            field::put(buffer, UNARY, &[]);
        }
        if let Some(timeout) = timeout {
            put_timeout(buffer, timeout);
        }
        put_compression(buffer, compression.requests);
        if !compression.answers.is_empty() {
            put_accepts(buffer, compression.answers);
        }
        field::put_metadata(buffer, metadata);
    });
}

/// Appends the answer's head.
pub fn put_response_head(buffer: &mut BytesMut, compression: Option<Compression>, metadata: &Metadata) {
    put_frame(buffer, FrameKind::Head, |buffer| {
        put_compression(buffer, compression);
        field::put_metadata(buffer, metadata);
    });
}

impl RequestHead {
    /// Reads the payload of a head frame that a caller sent.
    ///
    /// # Errors
    /// When it is malformed, has a field that must be understood and is not, or names no path.
    pub fn parse(mut payload: Bytes) -> Result<Self, WireError> {
        let mut path = None;
        let mut head = Self {
            path: Bytes::new(),
            codec: Codec::MessagePack,
            unary: false,
            timeout: None,
            compression: RequestCompression::default(),
            metadata: Metadata::new(),
        };
        while let Some(field) = field::take(&mut payload)? {
            match field.tag {
                PATH => path = Some(field.value),
                CODEC => head.codec = codec(field::byte(&field.value)?)?,
                METADATA => field::take_metadata(field.value, &mut head.metadata)?,
                UNARY => head.unary = true,
                TIMEOUT => head.timeout = Some(timeout(field.value)?),
                COMPRESSION => head.compression.requests = Some(compression(field::byte(&field.value)?)?),
                ACCEPTS => head.compression.answers = accepts(&field.value),
                tag => field::unknown(tag, "request head")?,
            }
        }
        head.path = path.ok_or(WireError::Malformed("the request head names no path"))?;
        Ok(head)
    }
}

impl ResponseHead {
    /// Reads the payload of a head frame that a responder sent.
    ///
    /// # Errors
    /// When it is malformed or has a field that must be understood and is not.
    pub fn parse(mut payload: Bytes) -> Result<Self, WireError> {
        let mut head = Self::default();
        while let Some(field) = field::take(&mut payload)? {
            match field.tag {
                METADATA => field::take_metadata(field.value, &mut head.metadata)?,
                COMPRESSION => head.compression = Some(compression(field::byte(&field.value)?)?),
                tag => field::unknown(tag, "response head")?,
            }
        }
        Ok(head)
    }
}

fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::Protobuf => 0x00,
        Codec::MessagePack => 0x01,
    }
}

fn codec(number: u8) -> Result<Codec, WireError> {
    match number {
        0x00 => Ok(Codec::Protobuf),
        0x01 => Ok(Codec::MessagePack),
        _ => Err(WireError::UnknownCodec(number)),
    }
}

fn compression_number(compression: Compression) -> u8 {
    match compression {
        Compression::Gzip => 0x01,
        Compression::Zstd => 0x02,
    }
}

fn compression(number: u8) -> Result<Compression, WireError> {
    let known = Compression::ALL.into_iter().find(|known| compression_number(*known) == number);
    known.ok_or(WireError::UnknownCompression(number))
}

fn put_compression(buffer: &mut BytesMut, compression: Option<Compression>) {
    if let Some(compression) = compression {
        field::put(buffer, COMPRESSION, &[compression_number(compression)]);
    }
}

fn put_accepts(buffer: &mut BytesMut, accepts: CompressionSet) {
    buffer.put_u8(ACCEPTS);
    put_varint(buffer, accepts.iter().count() as u64);
    accepts.iter().for_each(|compression| buffer.put_u8(compression_number(compression)));
}

/// The known compressions among the numbers; others are ignored.
fn accepts(numbers: &[u8]) -> CompressionSet {
    let known = numbers.iter().filter_map(|number| compression(*number).ok());
    known.fold(CompressionSet::none(), CompressionSet::with)
}

fn put_timeout(buffer: &mut BytesMut, timeout: Duration) {
    let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX).min((1 << 62) - 1);
    let mut value = BytesMut::new();
    put_varint(&mut value, micros);
    field::put(buffer, TIMEOUT, &value);
}

fn timeout(mut value: Bytes) -> Result<Duration, WireError> {
    let micros = take_varint(&mut value)?;
    if value.is_empty() {
        Ok(Duration::from_micros(micros))
    } else {
        Err(WireError::Malformed("the timeout is not one integer"))
    }
}
