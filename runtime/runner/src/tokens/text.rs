//! The text form of a token: `pwt_` and base64url of
//!
//! ```text
//! version = 1 | number of links | for each link its length (two bytes, big endian) and the link | 32 bytes of secret key
//! ```

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use iroh_base::SecretKey;
use rcan::Rcan;

use super::{InvalidToken, capability::Capability};

/// The longest text of a token, in characters. HTTP/2 servers commonly accept 8 KiB of headers.
pub const MAX_TEXT: usize = 4_096;

/// The most links of a chain: the issued token, and how many times it was narrowed. Each costs a signature check.
pub(super) const MAX_LINKS: usize = 8;

/// What each token begins with.
pub(super) const PREFIX: &str = "pwt_";

const VERSION: u8 = 1;
const SECRET: usize = 32;

pub(super) fn write(chain: &[Rcan<Capability>], secret: &SecretKey) -> Result<String, InvalidToken> {
    let too_large = || InvalidToken::Part(format!("too large; expected at most {MAX_TEXT} characters"));
    let links = u8::try_from(chain.len()).map_err(|_| too_large())?;
    let mut bytes = vec![VERSION, links];
    for link in chain {
        let link = link.encode();
        let length = u16::try_from(link.len()).map_err(|_| too_large())?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&link);
    }
    bytes.extend_from_slice(&secret.to_bytes());
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    if text.len() > MAX_TEXT { Err(too_large()) } else { Ok(text) }
}

/// Reads a token, and verifies the signature of each link: nothing else about it. A token of an issuer that is not known costs
/// one signature check.
pub(super) fn read(
    text: &str,
    is_known: impl Fn(&[u8; 32]) -> bool,
) -> Result<(Vec<Rcan<Capability>>, SecretKey), InvalidToken> {
    use InvalidToken::Malformed;
    if text.len() > MAX_TEXT {
        return Err(Malformed("too long; expected at most 4096 characters"));
    }
    let text = text.strip_prefix(PREFIX).ok_or(Malformed("expected it to begin with pwt_"))?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed("expected base64url behind pwt_"))?;
    let cut = || Malformed("it is cut off");
    let (head, mut rest) = bytes.split_first_chunk::<2>().ok_or_else(cut)?;
    let [version, links] = *head;
    if version != VERSION {
        return Err(Malformed("unknown version; expected 1"));
    }
    if !(1..=MAX_LINKS).contains(&usize::from(links)) {
        return Err(Malformed("expected 1 to 8 links"));
    }
    let mut chain = Vec::with_capacity(usize::from(links));
    for _ in 0..links {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (link, behind) = behind.split_at_checked(length).ok_or_else(cut)?;
        let link = link_of(link)?;
        if chain.is_empty() && !is_known(link.issuer().as_bytes()) {
            return Err(InvalidToken::UnknownIssuer);
        }
        chain.push(link);
        rest = behind;
    }
    let secret: &[u8; SECRET] =
        rest.try_into().map_err(|_| Malformed("expected a key of 32 bytes at its end"))?;
    Ok((chain, SecretKey::from_bytes(secret)))
}

fn link_of(bytes: &[u8]) -> Result<Rcan<Capability>, InvalidToken> {
    // Its error does not tell a wrong signature from a wrong form.
    let link = Rcan::<Capability>::decode(bytes).map_err(|_| InvalidToken::Forged)?;
    // A second spelling of a link would be a second text of the same token.
    if link.encode() != bytes {
        return Err(InvalidToken::Malformed("a link is not in its shortest form"));
    }
    link.capability().check()?;
    Ok(link)
}
