use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::WireError;

/// Appends a variable-length integer in its shortest form, as RFC 9000, section 16 lays it out.
///
/// # Panics
/// When the value is 2⁶² or more; nothing here counts that far.
pub fn put_varint(buffer: &mut BytesMut, value: u64) {
    match value {
        0..=0x3f => buffer.put_u8(value as u8),
        0x40..=0x3fff => buffer.put_u16(value as u16 | 0x4000),
        0x4000..=0x3fff_ffff => buffer.put_u32(value as u32 | 0x8000_0000),
        0x4000_0000..=0x3fff_ffff_ffff_ffff => buffer.put_u64(value | 0xc000_0000_0000_0000),
        _ => panic!("{value} does not fit a variable-length integer"),
    }
}

/// Reads a variable-length integer of any length form and how many bytes it took; `None` where the bytes
/// end too early.
pub(crate) fn peek_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = 1 << (first >> 6);
    let rest = bytes.get(1..length)?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Takes a variable-length integer off the front.
///
/// # Errors
/// When the bytes end too early.
pub fn take_varint(bytes: &mut Bytes) -> Result<u64, WireError> {
    let (value, length) =
        peek_varint(bytes).ok_or(WireError::Malformed("a variable-length integer ends too early"))?;
    bytes.advance(length);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The examples of RFC 9000, appendix A.1.
    #[test]
    fn the_examples_of_the_rfc_read_as_it_says() {
        let cases: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in cases {
            assert_eq!(peek_varint(bytes), Some((value, bytes.len())));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in 0..1u64 << 62) {
            let mut buffer = BytesMut::new();
            put_varint(&mut buffer, value);
            let mut bytes = buffer.freeze();
            prop_assert_eq!(take_varint(&mut bytes), Ok(value));
            prop_assert!(bytes.is_empty());
        }
    }
}
