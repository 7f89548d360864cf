use std::{fmt, str::FromStr, sync::Arc};

use quinn::rustls::{
    DigitallySignedStruct, Error, InconsistentKeys, PeerIncompatible, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer},
    sign::CertifiedKey,
};

/// An Ed25519 public key, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// What precedes the 32 bytes of an Ed25519 public key in a `SubjectPublicKeyInfo`
/// ([RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-4), section 4), which is what travels instead of
/// a certificate (RFC 7250, section 3).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What precedes the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The one signature that these keys make.
pub(super) const SCHEME: SignatureScheme = SignatureScheme::ED25519;

impl PublicKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that a peer has shown; `None` where it showed something else.
    pub(super) fn shown(shown: &CertificateDer<'_>) -> Option<Self> {
        shown.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(Self)
    }
}

/// The key pair of this secret key, in the form in which TLS shows it.
pub(super) fn certified(secret_key: &[u8; 32]) -> Result<(PublicKey, Arc<CertifiedKey>), Error> {
    let pkcs8 = [&PKCS8_PREFIX[..], secret_key].concat();
    let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8))?;
    let spki = key.public_key().map(|spki| CertificateDer::from(spki.to_vec()));
    let spki = spki.ok_or(Error::InconsistentKeys(InconsistentKeys::Unknown))?;
    let public = PublicKey::shown(&spki).ok_or(Error::General("the key is not Ed25519".to_owned()))?;
    Ok((public, Arc::new(CertifiedKey::new(vec![spki], key))))
}

/// Whether the peer has signed the handshake with the key that it has shown.
pub(super) fn verify(
    message: &[u8],
    shown: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
    verify_tls13_signature_with_raw_key(message, &spki, signature, algorithms)
}

/// QUIC is never under TLS 1.2 (RFC 9001, section 4.2), and raw keys are not either here.
pub(super) fn not_in_tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
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
