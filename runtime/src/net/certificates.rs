use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use prometheus::{
    IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_rustls::rustls::ServerConfig;

use super::{
    live_certificate::LiveCertificate,
    tls::{TlsError, TlsFiles},
    validity::Standing,
};
use crate::{Health, watched::Watched};

/// The certificates of a node's listeners, each of the transport that shows it. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Certificates(Arc<Shared>);

#[derive(Default)]
struct Shared {
    all: Mutex<Vec<Entry>>,
    /// Told when all files are to be read whether or not they have changed.
    asked: Notify,
}

#[derive(Clone)]
struct Entry {
    transport: &'static str,
    certificate: Arc<LiveCertificate>,
    /// Its files, as they were before they were read: no change in between is missed.
    files: Watched,
}

/// How often what is wrong with a certificate is said again.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);

impl Certificates {
    /// TLS for a listener of this transport, with the certificate and the key of these files, as they are from now on.
    ///
    /// # Errors
    /// As [`TlsFiles::load`].
    #[cfg_attr(
        not(any(feature = "grpc", feature = "quic", feature = "websocket")),
        expect(dead_code, reason = "no other transport is under TLS with certificates")
    )]
    pub(crate) fn server_config(
        &self,
        transport: &'static str,
        files: TlsFiles,
        alpn: &[u8],
    ) -> Result<ServerConfig, TlsError> {
        let watched = Watched::new([files.certificate_chain.clone(), files.private_key.clone()]);
        let certificate = Arc::new(LiveCertificate::read(files)?);
        let config = certificate.clone().server_config(alpn)?;
        self.lock().push(Entry { transport, certificate, files: watched });
        Ok(config)
    }

    /// Has all files read again, also those that look the same.
    pub(crate) fn read_again(&self) {
        self.0.asked.notify_waiters();
    }

    /// Looks after the certificates that are there now: reads them again when they change, and says what is wrong with
    /// them in the log and to people who ask for the node's health. What was there stays where new files cannot be used.
    pub(crate) fn watch(&self, health: &Health, tasks: &mut JoinSet<()>) {
        for entry in self.lock().clone() {
            let mut watch = Watch { entry, health: health.clone(), refused: None, said: None };
            watch.say_read();
            watch.judge();
            tasks.spawn(watch.run(self.clone()));
        }
    }

    /// How long each is still valid, for metrics; `None` without any.
    pub(crate) fn collector(&self) -> Result<Option<Box<dyn Collector>>, prometheus::Error> {
        if self.lock().is_empty() {
            return Ok(None);
        }
        let description = gauge()?.desc().into_iter().cloned().collect();
        Ok(Some(Box::new(Expiries { certificates: self.clone(), description })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One certificate, and what has been said of it.
struct Watch {
    entry: Entry,
    health: Health,
    /// Why its files as they are cannot be used.
    refused: Option<String>,
    /// What was wrong with its validity when that was said last, and when.
    said: Option<(Standing, Instant)>,
}

impl Watch {
    async fn run(mut self, certificates: Certificates) {
        let mut watched = self.entry.files.clone();
        loop {
            tokio::select! {
                () = watched.changed() => {}
                () = certificates.0.asked.notified() => watched.settle().await,
                // Time passes too.
                () = tokio::time::sleep(JUDGING) => {
                    self.judge();
                    continue;
                }
            }
            self.renew().await;
            self.judge();
        }
    }

    async fn renew(&mut self) {
        let certificate = self.entry.certificate.clone();
        // Reading a file may block, and takes no longer than the disk.
        let renewed = tokio::task::spawn_blocking(move || certificate.renew()).await;
        let outcome = match renewed {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(panic) => Err(panic.to_string()),
        };
        self.refused = outcome.err();
        match &self.refused {
            None => self.say_read(),
            Some(problem) => {
                let transport = self.entry.transport;
                tracing::error!(
                    transport,
                    problem,
                    "the changed certificate is refused, and the one before is shown on"
                );
            }
        }
    }

    fn say_read(&self) {
        let Entry { transport, certificate, .. } = &self.entry;
        let file = certificate.files().certificate_chain.display();
        let expires = certificate.validity().end();
        tracing::info!(transport, %file, expires, "the certificate and its key were read");
    }

    /// Says how the certificate is, where that is not what was said last.
    fn judge(&mut self) {
        let Entry { transport, certificate, .. } = &self.entry;
        let (validity, now) = (certificate.validity(), SystemTime::now());
        let (standing, problem) = (validity.standing(now), validity.problem(now));
        let is_news = self.said.is_none_or(|(said, at)| said != standing || at.elapsed() >= REMINDER);
        if let (true, Some(problem)) = (is_news, &problem) {
            match standing {
                Standing::Valid | Standing::EndsSoon => {
                    tracing::warn!(transport, "the certificate {problem}");
                }
                Standing::Expired | Standing::NotYet => {
                    tracing::error!(transport, "the certificate {problem}");
                }
            }
        }
        if is_news {
            self.said = Some((standing, Instant::now()));
        }
        let refused = self.refused.as_ref();
        let refused =
            refused.map(|problem| format!("the changed one is refused, the one before is shown: {problem}"));
        let note = Vec::from_iter(problem.into_iter().chain(refused)).join("; ");
        // It is no reason not to be ready: other transports work, and so do clients that trust a key. All nodes of a fleet
        // whose certificate expires would be gone at once.
        self.health.note(&format!("certificate of {transport}"), (!note.is_empty()).then_some(note));
    }
}

/// How often it is looked whether a certificate has come near its end.
const JUDGING: Duration = Duration::from_secs(60);

/// Reads the validities whenever there is a scrape.
struct Expiries {
    certificates: Certificates,
    description: Vec<Desc>,
}

fn gauge() -> Result<IntGaugeVec, prometheus::Error> {
    let help = "Time until the certificate that a transport shows, or one of its chain, expires; negative once it has.";
    IntGaugeVec::new(Opts::new("polywire_tls_certificate_expiry_seconds", help), &["transport"])
}

impl Collector for Expiries {
    fn desc(&self) -> Vec<&Desc> {
        self.description.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The name was well-formed when it was described.
        let Ok(gauge) = gauge() else { return Vec::new() };
        for Entry { transport, certificate, .. } in self.certificates.lock().iter() {
            let left = certificate.validity().seconds_left(SystemTime::now());
            gauge.with_label_values(&[transport]).set(left);
        }
        gauge.collect()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter().map(|entry| entry.transport)).finish()
    }
}
