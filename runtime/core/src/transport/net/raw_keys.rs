//! Raw public keys ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)) of Ed25519 in TLS 1.3.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};

use super::{
    PublicKey,
    node_key::{NodeKey, SCHEME},
};
use crate::Identity;

/// TLS of a server that shows the raw key of this secret key, and lets clients in with any key that is theirs, and without
/// one; and the key.
///
/// # Errors
/// Those of the cryptography.
pub(crate) fn raw_key_tls(secret_key: &[u8; 32], alpn: &[u8]) -> Result<(PublicKey, ServerConfig), Error> {
    let key = NodeKey::new(secret_key)?;
    let provider = Arc::new(ring::default_provider());
    let clients = AnyKey(provider.signature_verification_algorithms);
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(clients))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key.raw())));
    tls.alpn_protocols = vec![alpn.to_vec()];
    Ok((key.public, tls))
}

/// The identity that a client of such a server has proved.
pub(crate) fn raw_identity(shown: &[CertificateDer<'_>]) -> Option<Identity> {
    Some(Identity::Key(*PublicKey::of_spki(shown.first()?)?.as_bytes()))
}

/// The public key of a secret key.
///
/// # Errors
/// Those of the cryptography.
pub(crate) fn public_key(secret_key: &[u8; 32]) -> Result<PublicKey, Error> {
    Ok(NodeKey::new(secret_key)?.public)
}

/// Whether the peer has signed the handshake with the raw key that it has shown.
pub(super) fn verify_raw(
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

/// Lets clients in with any key that is theirs, and without one.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

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
        match PublicKey::of_spki(shown) {
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
        Err(not_in_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_raw(message, shown, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
