use super::refused::Refused;

/// The longest token, in characters: what HTTP/2 servers commonly accept as headers in all.
pub const MAX_TEXT: usize = 8_192;

/// Whether the text has the form of a JSON Web Token (RFC 7515, section 7.1): three parts of base64url with dots between. The
/// last one, the signature, may be empty: a token without one is a token, and refused. No token of this node has a dot.
pub(super) fn is_jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    // A text without dots, however long, is not looked at byte by byte.
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_of_base64url = |part: &str| part.bytes().all(is_of_base64url);
    !header.is_empty() && !claims.is_empty() && [header, claims, signature].into_iter().all(is_of_base64url)
}

fn is_of_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The part with the claims, of a text that [is a token](is_jwt).
pub(super) fn claims_of(text: &str) -> Result<&str, Refused> {
    text.split('.').nth(1).ok_or(Refused::Malformed("it has no claims"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form() {
        for text in ["eyJh.eyJp.c2ln", "a.b.", "-_.-_.-_"] {
            assert!(is_jwt(text), "{text}");
        }
        for text in [
            "",
            "pwt_AAAA",
            "a",
            "a.b",
            "a.b.c.d",
            "a.b.c.d.e",
            ".b.c",
            "a..c",
            "a.b.c=",
            "a.b. c",
            "a/b.c.d",
        ] {
            assert!(!is_jwt(text), "{text}");
        }
    }
}
