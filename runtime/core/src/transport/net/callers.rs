use std::{path::PathBuf, sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{
    peer_identity::with_identity_of,
    tls::{self, TlsError},
    x509::X509,
};
use crate::Caller;

/// The identities of a listener's clients, by the certificates that they show: one of a node's own key, or one that the
/// clients' authorities have signed. A client may show none. One that shows another certificate is refused in the
/// handshake: it believes that it has an identity.
#[derive(Debug)]
pub(crate) struct Callers {
    authorities: ArcSwapOption<Authorities>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The authorities that sign certificates of clients.
#[derive(Debug)]
struct Authorities {
    files: Vec<PathBuf>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Callers {
    /// Those with keys of nodes, and those whose certificates the authorities in these files have signed.
    ///
    /// # Errors
    /// A file is unreadable, or holds no certificate of an authority.
    pub(super) fn new(files: &[PathBuf]) -> Result<Self, TlsError> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let callers = Self { authorities: ArcSwapOption::empty(), algorithms };
        callers.authorities.store(read(files)?);
        Ok(callers)
    }

    /// Reads the files again, and gives what puts it into force. Where they cannot be used, what was there stays.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn renew(&self) -> Result<impl FnOnce() + '_, TlsError> {
        let renewed = read(&self.files())?;
        Ok(move || self.authorities.store(renewed))
    }

    /// The files of the authorities.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.authorities.load().as_ref().map(|now| now.files.clone()).unwrap_or_default()
    }

    /// The caller with the identity that this chain of certificates proves now. That of a resumed session was verified when it
    /// began, and by the authorities of that time, so it is verified again.
    pub(crate) fn identify(&self, caller: Caller, chain: &[CertificateDer<'_>]) -> Caller {
        let Some((shown, intermediates)) = chain.split_first() else { return caller };
        if let Err(error) = self.verify_client_cert(shown, intermediates, UnixTime::now()) {
            tracing::warn!(%error, "the certificate of a resumed session is no longer valid, and proves no identity");
            return caller;
        }
        with_identity_of(caller, chain, SystemTime::now())
    }
}

fn read(files: &[PathBuf]) -> Result<Option<Arc<Authorities>>, TlsError> {
    if files.is_empty() {
        return Ok(None);
    }
    let verifier = tls::client_verifier(files, Arc::new(ring::default_provider()))?;
    Ok(Some(Arc::new(Authorities { files: files.to_vec(), verifier })))
}

impl ClientCertVerifier for Callers {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: a client would keep back the certificate of its own key, which no authority has signed.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let read = X509::read(shown).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if read.own_key().is_some() {
            // That the client has the key is proved by its signature of the handshake.
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(now.as_secs());
            return match read.is_valid_at(time) {
                true => Ok(ClientCertVerified::assertion()),
                false => Err(Error::InvalidCertificate(CertificateError::Expired)),
            };
        }
        match &*self.authorities.load() {
            Some(authorities) => authorities.verifier.verify_client_cert(shown, intermediates, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is to be said beside the refusal of a client for its certificate.
pub(crate) fn refused(error: &str) -> Option<&'static str> {
    ["UnknownIssuer", "BadSignature"].iter().any(|reason| error.contains(reason)).then_some(
        "the client's certificate is neither of its own Ed25519 key nor signed by an authority of `client_ca` or `cluster.ca`",
    )
}
