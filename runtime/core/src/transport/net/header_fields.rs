/// Follows the fields of HPACK header blocks ([RFC 7541](https://www.rfc-editor.org/rfc/rfc7541#section-6)) byte by byte, to
/// find the value of `:authority` where it is spelt out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeaderFields(Place);

/// Where in a field the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// At its beginning.
    #[default]
    Start,
    /// In a number that nothing depends on; then there.
    Number(Behind),
    /// In the length of a name or a value.
    Length { of: Text, is_first: bool, shift: u32, length: u64 },
    /// In a name or a value of which so many bytes are left.
    In { text: Text, left: u64 },
}

/// What is behind a number.
#[derive(Clone, Copy, Debug)]
enum Behind {
    Start,
    Value,
}

/// A string of a field.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// A name, of which so many bytes are those of `:authority`; `None` for another.
    Name(Option<usize>),
    /// The value of `:authority`, or of another field.
    Value { is_authority: bool },
}

const AUTHORITY: &[u8] = b":authority";

/// Its place in the static table ([RFC 7541, appendix A](https://www.rfc-editor.org/rfc/rfc7541#appendix-A)).
const AUTHORITY_INDEX: u8 = 1;

impl HeaderFields {
    /// The next byte of the block: whether it is one of an authority, as it is and not in the Huffman code.
    pub(super) fn is_of_authority(&mut self, byte: u8) -> bool {
        let (next, is_of_authority) = self.0.after(byte);
        self.0 = next;
        is_of_authority
    }
}

impl Place {
    fn after(self, byte: u8) -> (Self, bool) {
        match self {
            Self::Start => (started(byte), false),
            Self::Number(_) if byte & 0x80 != 0 => (self, false),
            Self::Number(Behind::Start) => (Self::Start, false),
            Self::Number(Behind::Value) => (length(Text::Value { is_authority: false }), false),
            Self::Length { of, is_first: true, .. } => {
                // A string in the Huffman code is not looked into.
                let of = if byte & 0x80 == 0 { of } else { of.unknown() };
                let length = u64::from(byte & 0x7f);
                let more = Self::Length { of, is_first: false, shift: 0, length };
                (if length == 0x7f { more } else { within(of, length) }, false)
            }
            Self::Length { of, shift, length, .. } => {
                let length =
                    length.saturating_add(u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(u64::MAX));
                let more = Self::Length { of, is_first: false, shift: shift.saturating_add(7), length };
                (if byte & 0x80 != 0 { more } else { within(of, length) }, false)
            }
            Self::In { text, left } => (within(text.after(byte), left - 1), text.is_authority()),
        }
    }
}

/// The place behind the first byte of a field.
fn started(byte: u8) -> Place {
    let (index, longest) = match byte {
        // The whole field is in a table.
        0x80.. => return if byte == 0xff { Place::Number(Behind::Start) } else { Place::Start },
        0x40.. => (byte & 0x3f, 0x3f),
        // The size of the table.
        0x20.. => return if byte == 0x3f { Place::Number(Behind::Start) } else { Place::Start },
        _ => (byte & 0x0f, 0x0f),
    };
    match index {
        0 => length(Text::Name(Some(0))),
        AUTHORITY_INDEX => length(Text::Value { is_authority: true }),
        _ if index == longest => Place::Number(Behind::Value),
        _ => length(Text::Value { is_authority: false }),
    }
}

fn length(of: Text) -> Place {
    Place::Length { of, is_first: true, shift: 0, length: 0 }
}

/// The place in a string of which so many bytes are left.
fn within(text: Text, left: u64) -> Place {
    match text {
        _ if left > 0 => Place::In { text, left },
        Text::Name(found) => length(Text::Value { is_authority: found == Some(AUTHORITY.len()) }),
        Text::Value { .. } => Place::Start,
    }
}

impl Text {
    fn unknown(self) -> Self {
        match self {
            Self::Name(_) => Self::Name(None),
            Self::Value { .. } => Self::Value { is_authority: false },
        }
    }

    fn after(self, byte: u8) -> Self {
        match self {
            Self::Name(Some(found)) if AUTHORITY.get(found) == Some(&byte) => Self::Name(Some(found + 1)),
            Self::Name(_) => Self::Name(None),
            Self::Value { .. } => self,
        }
    }

    fn is_authority(self) -> bool {
        matches!(self, Self::Value { is_authority: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(block: &[u8]) -> Vec<u8> {
        let mut fields = HeaderFields::default();
        block.iter().copied().filter(|byte| fields.is_of_authority(*byte)).collect()
    }

    #[test]
    fn the_value_of_the_authority_is_found_in_each_representation() {
        for block in [
            // A literal with a new name, as grpcio sends it, between others.
            &b"@\x05:path\x06/a.B/C@\n:authority\x03a/b\x83\x86@\x02te\x08trailers"[..],
            // By the name of the static table: indexed, not indexed, and never.
            b"\x41\x03a/b",
            b"\x82\x01\x03a/b\x84",
            b"\x11\x03a/b",
            // Behind a size of the table and a long index.
            b"\x3f\xe1\x1f\xff\x80\x01\x7f\x05\x01x\x41\x03a/b",
        ] {
            assert_eq!(authority(block), b"a/b", "{block:?}");
        }
        let long = [b"\x41\x7f\x80\x01", &[b'%'; 255][..]].concat();
        assert_eq!(authority(&long).len(), 255);
    }

    #[test]
    fn other_values_are_left_alone() {
        for block in [
            &b"@\x05:path\x04/a/b"[..],
            b"@\x0b:authority2\x03a/b",
            b"@\x09:authorit\x03a/b",
            b"\x44\x03a/b",
            // In the Huffman code.
            b"\x41\x83a/b",
            b"@\x8a:authority\x03a/b",
        ] {
            assert_eq!(authority(block), b"", "{block:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(block: Vec<u8>) {
            authority(&block);
        }
    }
}
