use polywire_core::Metadata;

use super::text::PREFIX;

/// The metadata key of credentials (RFC 9110, section 11.6.2).
const AUTHORIZATION: &str = "authorization";

/// The scheme of tokens (RFC 6750), case-insensitive as all schemes are.
const SCHEME: &[u8] = b"bearer ";

/// The text of the first token of this format among the metadata's `authorization: Bearer …`. Other credentials in the same
/// key, such as those of the application, are not looked at.
pub fn bearer(metadata: &Metadata) -> Option<&str> {
    own_bearer(metadata).and_then(|text| str::from_utf8(text).ok())
}

/// As [`bearer`], of which nothing but its beginning has been looked at.
pub(super) fn own_bearer(metadata: &Metadata) -> Option<&[u8]> {
    texts(metadata).find(|text| is_own(text))
}

/// The texts behind each `authorization: Bearer` that are not of this format.
#[cfg(feature = "jwt")]
pub(crate) fn other_bearers(metadata: &Metadata) -> impl Iterator<Item = &[u8]> {
    texts(metadata).filter(|text| !is_own(text))
}

fn is_own(text: &[u8]) -> bool {
    text.starts_with(PREFIX.as_bytes())
}

/// What is behind each `authorization: Bearer`. It is long, and looked at for calls alone that nothing is known of.
fn texts(metadata: &Metadata) -> impl Iterator<Item = &[u8]> {
    metadata.values(AUTHORIZATION).filter_map(|value| after_scheme(value))
}

fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

/// The metadata entry of a call with this token: its key and its value.
pub fn authorization(token: &str) -> (&'static str, String) {
    (AUTHORIZATION, format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_beside_other_credentials() {
        let mut metadata = Metadata::new();
        assert_eq!(bearer(&metadata), None);
        for other in ["Basic cHd0Xw", "Bearer eyJ.a.b", "Bearer", "pwt_x"] {
            metadata.append(AUTHORIZATION, other).unwrap();
        }
        assert_eq!(bearer(&metadata), None);
        metadata.append(AUTHORIZATION, "bearer  pwt_x").unwrap();
        assert_eq!(bearer(&metadata), Some("pwt_x"));
    }
}
