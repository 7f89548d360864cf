use bytes::{BufMut, Bytes, BytesMut};

use super::{WireError, frame::MAY_SKIP, put_varint, take_varint};
use crate::Metadata;

/// One field of a head or a tail: a tag and its value.
pub(super) struct Field {
    pub(super) tag: u8,
    pub(super) value: Bytes,
}

/// The tag of a metadata entry, the same wherever fields are.
pub(super) const METADATA: u8 = 0x03;

/// Takes the next field off the front; `None` at the end.
pub(super) fn take(bytes: &mut Bytes) -> Result<Option<Field>, WireError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = bytes.split_to(1)[0];
    let length = take_varint(bytes)?;
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(Some(Field { tag, value: bytes.split_to(length) })),
        _ => Err(WireError::Malformed("a field is longer than what it is a field of")),
    }
}

/// What to make of a field that is not known.
pub(super) fn unknown(tag: u8, of: &'static str) -> Result<(), WireError> {
    if tag & MAY_SKIP != 0 { Ok(()) } else { Err(WireError::UnknownField { tag, of }) }
}

pub(super) fn put(buffer: &mut BytesMut, tag: u8, value: &[u8]) {
    buffer.put_u8(tag);
    put_varint(buffer, value.len() as u64);
    buffer.put_slice(value);
}

pub(super) fn put_metadata(buffer: &mut BytesMut, metadata: &Metadata) {
    for (key, value) in metadata.iter() {
        // Keys are shorter than 64 bytes as a rule, and never longer than a head.
        let prefix = varint_length(key.len() as u64);
        buffer.put_u8(METADATA);
        put_varint(buffer, (prefix + key.len() + value.len()) as u64);
        put_varint(buffer, key.len() as u64);
        buffer.put_slice(key.as_bytes());
        buffer.put_slice(value);
    }
}

pub(super) fn take_metadata(mut value: Bytes, metadata: &mut Metadata) -> Result<(), WireError> {
    let length = take_varint(&mut value)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= value.len());
    let length = length.ok_or(WireError::Malformed("a metadata key is longer than its entry"))?;
    let key = value.split_to(length);
    metadata
        .append_received(key, value)
        .map_err(|_| WireError::Malformed("a metadata entry breaks the rules for keys and values"))
}

/// The single byte of a field that holds one.
pub(super) fn byte(value: &Bytes) -> Result<u8, WireError> {
    match value[..] {
        [byte] => Ok(byte),
        _ => Err(WireError::Malformed("a field of one byte has another length")),
    }
}

fn varint_length(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}
