use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket"))]
use rustls::ServerConfig;
use tokio::sync::Notify;

use super::live_certificate::LiveCertificate;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket"))]
use super::tls::{TlsError, TlsFiles};
use crate::watched::Watched;

/// The certificates of a program's listeners, each of the transport that shows it. Clones are the same. What keeps them
/// up to date (a node) [lists](Self::list) them.
#[derive(Clone, Default)]
pub struct Certificates(Arc<List>);

#[derive(Default)]
struct List {
    all: Mutex<Vec<Listed>>,
    /// Told when all files are to be read whether or not they have changed.
    asked: Notify,
}

/// A certificate of a listener.
#[derive(Clone)]
pub struct Listed {
    /// The transport that shows it.
    pub transport: &'static str,
    /// The certificate and its key.
    pub certificate: Arc<LiveCertificate>,
    /// Its files, as they were before they were read: no change in between is missed.
    pub files: Watched,
}

impl Certificates {
    /// TLS for a listener of this transport, with the certificate and the key of these files, as they are from now on.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    #[cfg(any(feature = "grpc", feature = "quic", feature = "websocket"))]
    pub(crate) fn server_config(
        &self,
        transport: &'static str,
        files: TlsFiles,
        alpn: &[u8],
    ) -> Result<ServerConfig, TlsError> {
        let watched = Watched::new([files.certificate_chain.clone(), files.private_key.clone()]);
        let certificate = Arc::new(LiveCertificate::read(files)?);
        let config = certificate.clone().server_config(alpn)?;
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner).push(Listed {
            transport,
            certificate,
            files: watched,
        });
        Ok(config)
    }

    /// Those that listeners show now.
    pub fn list(&self) -> Vec<Listed> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has all files read again, also those that look the same.
    pub fn read_again(&self) {
        self.0.asked.notify_waiters();
    }

    /// Completes when all files are to be read again.
    ///
    /// # Cancel safety
    /// Safe; a request before the next call is missed.
    pub async fn asked(&self) {
        self.0.asked.notified().await;
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|listed| listed.transport)).finish()
    }
}
