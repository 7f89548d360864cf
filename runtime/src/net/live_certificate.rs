use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use tokio_rustls::rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{
    tls::{TlsError, TlsFiles},
    validity::Validity,
};

/// The certificate and key that a listener shows: those of its files, as they were read last. A handshake takes what is
/// there when it begins, so that none fails while they change, and connections stay.
pub(crate) struct LiveCertificate {
    files: TlsFiles,
    pair: ArcSwap<Pair>,
}

/// A certificate chain and its key, which fit together.
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

impl LiveCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub(super) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let pair = ArcSwap::from_pointee(files.pair()?);
        Ok(Self { files, pair })
    }

    /// Reads the files again, both together. Where they cannot be used, what was there stays.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    pub(super) fn renew(&self) -> Result<(), TlsError> {
        self.pair.store(Arc::new(self.files.pair()?));
        Ok(())
    }

    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// That of what is shown now.
    pub(super) fn validity(&self) -> Validity {
        self.pair.load().validity
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load().key.clone())
    }
}

impl fmt::Debug for LiveCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCertificate").field("files", &self.files).finish_non_exhaustive()
    }
}
