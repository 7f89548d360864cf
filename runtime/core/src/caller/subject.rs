//! The subject of a JSON Web Token in the text form of an identity.
//!
//! An issuer is often a URL, so it ends at the last slash of `jwt:ISSUER/SUBJECT`. A subject is any text: what could be taken for
//! something else in a rule, in a header or in a line of the log is written as in URLs (RFC 3986, section 2.1).

use std::fmt;

/// Writes the subject.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.bytes().try_for_each(|byte| match byte {
            b'/' | b'%' | b'*' => write!(f, "%{byte:02X}"),
            byte if byte.is_ascii_graphic() => f.write_char(char::from(byte)),
            byte => write!(f, "%{byte:02X}"),
        })
    }
}

/// Reads the subject; `None` if a `%` is not followed by two hexadecimal digits, or if the bytes are no text.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(is_hexadecimal.then(|| u8::from_str_radix(digits, 16).ok())??);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for (subject, text) in [
            ("me", "me"),
            ("auth0|5f7c8ec7", "auth0|5f7c8ec7"),
            ("repo:shop/web:ref:refs/heads/main", "repo:shop%2Fweb:ref:refs%2Fheads%2Fmain"),
            ("50% *", "50%25%20%2A"),
            ("é\n", "%C3%A9%0A"),
        ] {
            assert_eq!(Escaped(subject).to_string(), text);
            assert_eq!(unescaped(text).as_deref(), Some(subject));
        }
        for text in ["%", "%2", "%2g", "%+1", "%ff", "a%é"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }
}
