use std::{fmt, str::FromStr};

/// An Ed25519 public key, written as 64 hexadecimal digits. That of a node is its id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// What precedes the 32 bytes of an Ed25519 public key in a `SubjectPublicKeyInfo`
/// ([RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-4), section 4), which is what travels instead of
/// a certificate (RFC 7250, section 3).
#[cfg(feature = "tls")]
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PublicKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key in a `SubjectPublicKeyInfo`; `None` if it is another kind of key, or the bytes are something else.
    #[cfg(feature = "tls")]
    pub(super) fn of_spki(spki: &[u8]) -> Option<Self> {
        spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(Self)
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(PublicKeyError);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(PublicKeyError);
            };
            *byte = high << 4 | low;
        }
        Ok(Self(key))
    }
}

/// A text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public key; expected 64 hexadecimal digits")]
pub struct PublicKeyError;

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
