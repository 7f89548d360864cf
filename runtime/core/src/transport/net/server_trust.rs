use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use super::{
    Authorities, PublicKey,
    node_key::{NodeKey, SCHEME},
    raw_keys::{not_in_tls12, verify_raw},
    x509::X509,
};
use crate::Status;

/// What a client trusts a server for, and how it proves itself to it.
pub(crate) struct ServerTrust<'a> {
    /// The server has exactly this key, whatever its name.
    pub(crate) key: Option<PublicKey>,
    /// Without a key: an authority of this file, or else of the system, has signed its certificate for its name.
    pub(crate) ca_file: Option<&'a Path>,
    /// Proves who the client is to servers that ask.
    pub(crate) secret_key: Option<[u8; 32]>,
    /// Keys travel as raw public keys ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)) instead of certificates.
    pub(crate) raw: bool,
    /// The versions of TLS.
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
}

impl ServerTrust<'_> {
    /// TLS on these terms, for this protocol.
    ///
    /// # Errors
    /// `InvalidArgument`, not processed: no authority can be read, or the cryptography refuses the key.
    pub(crate) fn client(&self, alpn: &[u8]) -> Result<ClientConfig, Status> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let unusable = |error: Error| invalid(error.to_string());
        let shown = Shown::of(self.secret_key.as_ref(), self.raw).map_err(unusable)?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.key {
            Some(key) => Arc::new(Pinned { key, raw: self.raw, algorithms }),
            None => authorities(self.ca_file, provider.clone())?,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(config)
    }
}

/// Trusts certificates that the authorities of this file have signed, or else those of the system.
fn authorities(
    file: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Status> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in Authorities::read(file)?.certificates {
                roots.add(certificate).map_err(|error| {
                    invalid(format!("CA file {}: {error}; expected certificates", file.display()))
                })?;
            }
        }
        // One of the system's that cannot be read is one authority fewer, which its servers' callers notice.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| {
        invalid(format!(
            "no certificate authority can be trusted: {error}; expected a CA file, or a key in the target"
        ))
    })
}

fn invalid(message: String) -> Status {
    Status::invalid_argument(message).not_processed()
}

/// What a client shows to a server that asks: its key, or nothing.
#[derive(Debug)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    raw: bool,
}

impl Shown {
    fn of(secret_key: Option<&[u8; 32]>, raw: bool) -> Result<Self, Error> {
        let key = secret_key.map(NodeKey::new).transpose()?;
        let key = match key {
            Some(key) if raw => Some(key.raw()),
            Some(key) => Some(key.certificate()?),
            None => None,
        };
        Ok(Self { key, raw })
    }
}

impl ResolvesClientCert for Shown {
    /// Nothing to a server that names authorities: it takes certificates of theirs alone, and may refuse others.
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key.clone().filter(|_| authorities.is_empty() && schemes.contains(&SCHEME))
    }

    /// Also where there is none: a server that takes raw keys does not speak to those who may come with a certificate.
    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// Trusts the server that has this key, whatever its name.
#[derive(Debug)]
struct Pinned {
    key: PublicKey,
    raw: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn shown(&self, shown: &CertificateDer<'_>) -> Option<PublicKey> {
        if self.raw { PublicKey::of_spki(shown) } else { X509::read(shown)?.key() }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.shown(shown) == Some(self.key) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.raw {
            return Err(not_in_tls12());
        }
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.raw {
            return verify_raw(message, shown, signature, &self.algorithms);
        }
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}
