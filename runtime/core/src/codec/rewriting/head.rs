//! How MessagePack begins its values. Source: [its specification](https://github.com/msgpack/msgpack/blob/master/spec.md).

use bytes::{BufMut, BytesMut};

/// What a value begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// So many values follow this many bytes.
    Array { len: usize, count: u32 },
    /// So many keys, and as many values.
    Map { len: usize, count: u32 },
    /// A value that holds no others, in this many bytes all together.
    Plain { len: usize },
}

impl Head {
    /// The head of the value that these bytes begin with; `None` where they end before.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let plain = |len| Some(Self::Plain { len });
        match first {
            0x80..=0x8f => Some(Self::Map { len: 1, count: u32::from(first & 0x0f) }),
            0x90..=0x9f => Some(Self::Array { len: 1, count: u32::from(first & 0x0f) }),
            0xa0..=0xbf => plain(1 + usize::from(first & 0x1f)),
            // Fixed integers, nil, the one that is never used, and booleans.
            0x00..=0x7f | 0xe0..=0xff | 0xc0..=0xc3 => plain(1),
            // `bin` and `ext`, with a length of 1, 2 or 4 bytes, and behind that of an `ext` its type.
            0xc4..=0xc6 => sized(bytes, 1 << (first - 0xc4), 0),
            0xc7..=0xc9 => sized(bytes, 1 << (first - 0xc7), 1),
            0xca | 0xce | 0xd2 => plain(5),
            0xcb | 0xcf | 0xd3 => plain(9),
            0xcc | 0xd0 => plain(2),
            0xcd | 0xd1 => plain(3),
            // `ext` of 1 to 16 bytes, behind its type.
            0xd4..=0xd8 => plain(2 + (1 << (first - 0xd4))),
            0xd9..=0xdb => sized(bytes, 1 << (first - 0xd9), 0),
            0xdc | 0xdd => {
                let width = 2 << (first - 0xdc);
                Some(Self::Array { len: 1 + width, count: number(bytes, width)? })
            }
            0xde | 0xdf => {
                let width = 2 << (first - 0xde);
                Some(Self::Map { len: 1 + width, count: number(bytes, width)? })
            }
        }
    }

    /// How many bytes it has itself; of one that holds no others, all of its bytes.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Array { len, .. } | Self::Map { len, .. } | Self::Plain { len } => len,
        }
    }
}

/// A value whose length is behind its first byte, in so many bytes.
fn sized(bytes: &[u8], width: usize, more: usize) -> Option<Head> {
    let length = usize::try_from(number(bytes, width)?).ok()?;
    Some(Head::Plain { len: length.checked_add(1 + width + more)? })
}

fn number(bytes: &[u8], width: usize) -> Option<u32> {
    let digits = bytes.get(1..=width)?;
    Some(digits.iter().fold(0, |number, digit| (number << 8) | u32::from(*digit)))
}

/// The text of a whole value, where it is some.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    let head = match *value.first()? {
        0xa0..=0xbf => 1,
        first @ 0xd9..=0xdb => 1 + (1 << (first - 0xd9)),
        _ => return None,
    };
    std::str::from_utf8(value.get(head..)?).ok()
}

/// Appends the head of a map.
pub(super) fn put_map(buffer: &mut BytesMut, count: u32) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ ..=0x0f), _) => buffer.put_u8(0x80 | count),
        (_, Ok(count)) => {
            buffer.put_u8(0xde);
            buffer.put_u16(count);
        }
        _ => {
            buffer.put_u8(0xdf);
            buffer.put_u32(count);
        }
    }
}

/// Appends text that is short, as a name is.
pub(super) fn put_text(buffer: &mut BytesMut, text: &str) {
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ ..=0x1f), _) => buffer.put_u8(0xa0 | length),
        (Ok(length), _) => buffer.put_slice(&[0xd9, length]),
        (_, Ok(length)) => {
            buffer.put_u8(0xda);
            buffer.put_u16(length);
        }
        // No identifier is as long as that.
        _ => buffer.put_u8(0xa0),
    }
    if text.len() <= usize::from(u16::MAX) {
        buffer.put_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_as_long_as_its_library_says() {
        let long = |length: usize| rmp_serde::to_vec(&"x".repeat(length)).unwrap();
        let blob = |length: usize| {
            let mut bytes = Vec::new();
            serde::Serializer::serialize_bytes(&mut rmp_serde::Serializer::new(&mut bytes), &vec![7; length])
                .unwrap();
            bytes
        };
        let numbers = [0_i64, -1, 127, 128, -129, 40_000, -40_000, i64::MAX, i64::MIN];
        let mut values: Vec<_> = numbers.iter().map(|number| rmp_serde::to_vec(number).unwrap()).collect();
        values.extend([0, 31, 32, 255, 256, 70_000].map(long));
        values.extend([0, 255, 256, 70_000].map(blob));
        values.extend([rmp_serde::to_vec(&1.5_f32).unwrap(), rmp_serde::to_vec(&1.5_f64).unwrap()]);
        values.extend([rmp_serde::to_vec(&true).unwrap(), rmp_serde::to_vec(&()).unwrap()]);
        for value in values {
            assert_eq!(Head::of(&value), Some(Head::Plain { len: value.len() }), "{:?}", &value[..1]);
        }
        for count in [0_u32, 15, 16, 70_000] {
            let array = rmp_serde::to_vec(&vec![0_u16; count as usize]).unwrap();
            assert!(matches!(Head::of(&array), Some(Head::Array { count: found, .. }) if found == count));
            let mut map = BytesMut::new();
            put_map(&mut map, count);
            assert_eq!(Head::of(&map), Some(Head::Map { len: map.len(), count }));
        }
    }

    #[test]
    fn a_name_reads_back() {
        for length in [0, 31, 32, 255, 256] {
            let mut buffer = BytesMut::new();
            put_text(&mut buffer, &"x".repeat(length));
            assert_eq!(Head::of(&buffer), Some(Head::Plain { len: buffer.len() }));
            assert_eq!(text(&buffer).unwrap().len(), length);
        }
    }
}
