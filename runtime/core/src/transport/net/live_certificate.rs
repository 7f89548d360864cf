use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::tls::{TlsError, TlsFiles};

/// The certificate and key that a listener shows: those of its files, as they were read last. A handshake takes what is
/// there when it begins, so that none fails while they change, and connections stay.
pub struct LiveCertificate {
    files: TlsFiles,
    pair: ArcSwap<CertifiedKey>,
}

impl LiveCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub(super) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let pair = ArcSwap::from(files.pair()?);
        Ok(Self { files, pair })
    }

    /// Reads the files again, both together. Where they cannot be used, what was there stays.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub fn renew(&self) -> Result<(), TlsError> {
        self.pair.store(self.files.pair()?);
        Ok(())
    }

    /// The files.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// The certificate that is shown now and its intermediates, in DER.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.pair.load().cert.clone()
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load_full())
    }
}

impl fmt::Debug for LiveCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCertificate").field("files", &self.files).finish_non_exhaustive()
    }
}
