//! A node's Ed25519 key: what it signs, and how others verify that.

use std::{fmt, sync::Arc};

use iroh_base::{PublicKey, SecretKey, Signature};

/// A public key.
pub(super) type Key = [u8; 32];

/// The key of this node. Clones share it.
#[derive(Clone)]
pub(super) struct NodeKey(Arc<SecretKey>);

impl NodeKey {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Arc::new(SecretKey::from_bytes(secret)))
    }

    /// The public key.
    pub(super) fn public(&self) -> Key {
        *self.0.public().as_bytes()
    }

    pub(super) fn sign(&self, text: &SignedText) -> [u8; 64] {
        self.0.sign(&text.0).to_bytes()
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeKey").field(&self.0.public()).finish()
    }
}

/// The bytes that a signature is over: a label, which says what is signed and in which version, and then fields. Each has
/// its length before it, so that no two lists of fields have the same bytes.
pub(super) struct SignedText(Vec<u8>);

impl SignedText {
    pub(super) fn new(label: &str) -> Self {
        Self(Vec::with_capacity(256)).field(label.as_bytes())
    }

    pub(super) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.field(&number.to_be_bytes())
    }

    /// Whether this is a signature of it by this key.
    pub(super) fn is_signed_by(&self, key: &Key, signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (PublicKey::from_bytes(key), <&[u8; 64]>::try_from(signature)) else {
            return false;
        };
        key.verify(&self.0, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The key with this text form, 64 hexadecimal digits.
pub(super) fn read_key(text: &str) -> Option<Key> {
    let is_hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key: PublicKey = is_hexadecimal.then(|| text.parse().ok()).flatten()?;
    Some(*key.as_bytes())
}

/// The text form of this key.
pub(super) fn shown(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether this text is the text form of this key.
pub(super) fn is_shown(key: &Key, text: &str) -> bool {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let digits = key.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    text.len() == 64 && text.bytes().map(|byte| byte.to_ascii_lowercase()).eq(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_text_by_one_key() {
        let [one, other] = [[1; 32], [2; 32]].map(|secret| NodeKey::new(&secret));
        let text = || SignedText::new("test 1").field(b"ab").field(b"c");
        let signature = one.sign(&text());
        assert!(text().is_signed_by(&one.public(), &signature));
        assert!(!text().is_signed_by(&other.public(), &signature));
        assert!(!SignedText::new("test 1").field(b"a").field(b"bc").is_signed_by(&one.public(), &signature));
        assert!(!SignedText::new("test 2").field(b"ab").field(b"c").is_signed_by(&one.public(), &signature));
        assert!(!text().is_signed_by(&one.public(), &signature[1..]));
    }

    #[test]
    fn a_key_is_read_as_it_is_shown() {
        let key = NodeKey::new(&[7; 32]).public();
        assert_eq!(read_key(&shown(&key)), Some(key));
        assert!(is_shown(&key, &shown(&key)));
        assert!(!is_shown(&key, &shown(&[7; 32])));
        assert_eq!(read_key("abc"), None);
    }
}
