use std::{fmt, sync::Arc};

use quinn::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{ResolvesClientCert, danger::HandshakeSignatureValid},
    crypto::{WebPkiSupportedAlgorithms, ring},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::CertifiedKey,
};

use super::{PublicKey, raw_key};

/// The key with which a caller proves who it is, to servers that show a key themselves: there it is the
/// [`Caller::identity`](crate::Caller::identity). It goes into
/// [`ConnectOptions::with`](crate::ConnectOptions::with); without it, callers are anonymous.
#[derive(Clone)]
pub struct Identity {
    secret_key: [u8; 32],
}

impl Identity {
    /// The identity with this Ed25519 secret key.
    pub fn new(secret_key: [u8; 32]) -> Self {
        Self { secret_key }
    }

    /// What servers know it by.
    pub fn public_key(&self) -> PublicKey {
        // Each 32 bytes are a secret key (RFC 8032, section 5.1.5).
        let certified = raw_key::certified(&self.secret_key);
        certified.expect("an Ed25519 key is made of any 32 bytes").0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// What a caller shows to a server that asks: a key, or nothing.
#[derive(Debug)]
pub(super) struct Shown(Option<Arc<CertifiedKey>>);

impl Shown {
    pub(super) fn of(identity: Option<&Identity>) -> Result<Self, Error> {
        let key = identity.map(|identity| raw_key::certified(&identity.secret_key)).transpose()?;
        Ok(Self(key.map(|(_, key)| key)))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    /// Also where there is none: a server that takes keys does not speak to those who may come with a
    /// certificate.
    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Lets callers in with any key that is theirs, and without one.
#[derive(Debug)]
pub(super) struct AnyKey(WebPkiSupportedAlgorithms);

impl AnyKey {
    pub(super) fn new() -> Self {
        Self(ring::default_provider().signature_verification_algorithms)
    }
}

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match PublicKey::shown(shown) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(raw_key::not_in_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        raw_key::verify(message, shown, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![raw_key::SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
