//! As much of DER ([X.690](https://www.itu.int/rec/T-REC-X.690), section 10) as certificates need.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(super) const SET: u8 = 0x31;

/// The tag of the context-specific element of this number, which holds other elements.
pub(super) const fn explicit(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of the context-specific element of this number, which holds bytes.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    /// With its tag and length.
    pub(super) whole: &'a [u8],
}

/// Reads elements that follow one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element; `None` at the end, and where the bytes are no DER.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match usize::from(first) {
            short if short < 0x80 => (short, rest),
            // Four bytes of a length are 4 GiB, and none is the indefinite form, which is not DER.
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                (
                    digits.iter().try_fold(0_usize, |length, digit| {
                        length.checked_mul(0x100)?.checked_add(usize::from(*digit))
                    })?,
                    rest,
                )
            }
            _ => return None,
        };
        let (contents, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Element { tag, contents, whole })
    }

    /// The next element, if it has this tag. It stays if it has another one.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) { self.any() } else { None }
    }

    /// The elements within the next one, if it has this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        Some(Self(self.take(tag)?.contents))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
/// An element with this tag around these contents.
pub(super) fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let mut bytes = vec![tag];
    let length = contents.len().to_be_bytes();
    match contents.len() {
        0..0x80 => bytes.extend(&length[length.len() - 1..]),
        0x80..0x100 => bytes.extend([&[0x81], &length[length.len() - 1..]].concat()),
        _ => {
            let digits = &length[length.iter().take_while(|digit| **digit == 0).count()..];
            // A `usize` has at most eight of them.
            bytes.push(0x80 | digits.len() as u8);
            bytes.extend(digits);
        }
    }
    bytes.extend(contents);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let contents = vec![7; length];
            let bytes = element(OCTET_STRING, &[&contents]);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(SEQUENCE), None);
            let read = reader.take(OCTET_STRING).unwrap();
            assert_eq!((read.contents, read.whole), (&*contents, &*bytes));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn lengths_that_reach_past_the_end_or_are_no_der_are_none() {
        for bytes in [
            &[SEQUENCE][..],
            &[SEQUENCE, 1],
            &[SEQUENCE, 0x80],
            &[SEQUENCE, 0x81],
            &[SEQUENCE, 0x85, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(Reader::new(bytes).any(), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Some(element) = reader.any() {
                prop_assert!(element.contents.len() < element.whole.len());
            }
        }
    }
}
