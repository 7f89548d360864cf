use std::{fmt, sync::Arc};

use tokio::sync::Notify;

use super::live_certificate::LiveCertificate;
use crate::{sync::Mutex, watched::Watched};

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

/// A certificate of a listener, and the authorities of its clients.
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
    /// Keeps this certificate up to date, which this transport shows. Its files are as they were before they were read.
    #[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
    pub(super) fn keep(&self, transport: &'static str, certificate: Arc<LiveCertificate>, files: Watched) {
        let listed = Listed { transport, certificate, files };
        self.0.all.lock().push(listed);
    }

    /// Those that listeners show now.
    pub fn list(&self) -> Vec<Listed> {
        self.0.all.lock().clone()
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
