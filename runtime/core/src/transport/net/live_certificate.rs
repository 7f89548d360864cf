use std::{fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
use rustls::{ServerConfig, crypto::ring};
use rustls::{
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{
    callers::Callers,
    tls::{TlsError, TlsFiles},
};

/// The certificate and key that a listener shows, and the authorities of its clients: those of its files, as they were read
/// last. A handshake takes what is there when it begins, so that none fails while they change, and connections stay.
pub struct LiveCertificate {
    /// Of the certificate and its key; `None` where the listener shows the node's own key.
    files: Option<TlsFiles>,
    pair: ArcSwap<CertifiedKey>,
    callers: Arc<Callers>,
}

impl LiveCertificate {
    /// Reads the files again, all together. Where one of them cannot be used, all that was there stays.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub fn renew(&self) -> Result<(), TlsError> {
        let pair = self.files.as_ref().map(TlsFiles::pair).transpose()?;
        let put = self.callers.renew()?;
        pair.into_iter().for_each(|pair| self.pair.store(pair));
        put();
        Ok(())
    }

    /// The files that it is read from: the certificate, its key, the clients' authorities.
    pub fn files(&self) -> Vec<PathBuf> {
        let pair = self.files.iter().flat_map(|files| [&files.certificate_chain, &files.private_key]);
        pair.cloned().chain(self.callers.files()).collect()
    }

    /// The certificate that is shown now and its intermediates, in DER, if they come from a file.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.files.as_ref().map(|_| self.pair.load().cert.clone()).unwrap_or_default()
    }
}

#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
impl LiveCertificate {
    /// Reads the files of the certificate and its key.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub(super) fn read(files: TlsFiles, callers: Callers) -> Result<Self, TlsError> {
        let pair = ArcSwap::from(files.pair()?);
        Ok(Self { files: Some(files), pair, callers: Arc::new(callers) })
    }

    /// With this certificate.
    pub(super) fn of(pair: Arc<CertifiedKey>, callers: Callers) -> Self {
        Self { files: None, pair: ArcSwap::from(pair), callers: Arc::new(callers) }
    }

    /// The identities of clients.
    pub(super) fn callers(&self) -> &Arc<Callers> {
        &self.callers
    }

    /// TLS that shows this certificate to clients of this protocol, and asks them for theirs.
    pub(super) fn server_config(self: Arc<Self>, alpn: &[u8]) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3");
        let builder = builder.with_client_cert_verifier(self.callers.clone());
        let mut config = builder.with_cert_resolver(self);
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load_full())
    }
}

impl fmt::Debug for LiveCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCertificate").field("files", &self.files()).finish_non_exhaustive()
    }
}
