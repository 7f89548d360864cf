//! What proves that an answer is to the handshake that was asked
//! ([RFC 6455, section 1.3](https://www.rfc-editor.org/rfc/rfc6455#section-1.3)).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1_smol::Sha1;

/// What the answer hashes beside the key.
const OF_WEBSOCKETS: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key for a request: 16 random bytes. It is no secret, and keeps caches from answering.
pub(super) fn new() -> String {
    STANDARD.encode(fastrand::u128(..).to_be_bytes())
}

/// Whether the text is a key.
pub(super) fn is_key(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 16)
}

/// The answer to a key.
pub(super) fn answer(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(OF_WEBSOCKETS.as_bytes());
    STANDARD.encode(hash.digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_specification() {
        assert_eq!(answer("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_key(&new()) && new() != new());
        assert!(!is_key("c2hvcnQ=") && !is_key("not base64"));
    }
}
