use std::time::{Duration, SystemTime};

use polywire_core::transport::net::{Certificates, Listed, LiveCertificate};
use prometheus::{
    IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::{task::JoinSet, time::Instant};

use super::validity::{Standing, Validity};
use crate::Health;

/// How often what is wrong with a certificate is said again.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks after the certificates that are there now: reads them again when they change, and says what is wrong with them in
/// the log and in the node's health. What was there stays where new files cannot be used.
pub(super) fn watch(certificates: &Certificates, health: &Health, tasks: &mut JoinSet<()>) {
    for listed in certificates.list() {
        let mut watch = Watch { listed, health: health.clone(), refused: None, said: None };
        watch.say_read();
        watch.judge();
        tasks.spawn(watch.run(certificates.clone()));
    }
}

/// How long each is still valid, for metrics; `None` without any.
pub(super) fn collector(
    certificates: &Certificates,
) -> Result<Option<Box<dyn Collector>>, prometheus::Error> {
    if certificates.list().is_empty() {
        return Ok(None);
    }
    let description = gauge()?.desc().into_iter().cloned().collect();
    Ok(Some(Box::new(Expiries { certificates: certificates.clone(), description })))
}

/// One certificate, and what has been said of it.
struct Watch {
    listed: Listed,
    health: Health,
    /// Why its files as they are cannot be used.
    refused: Option<String>,
    /// What was wrong with its validity when that was said last, and when.
    said: Option<(Standing, Instant)>,
}

impl Watch {
    async fn run(mut self, certificates: Certificates) {
        let mut watched = self.listed.files.clone();
        loop {
            tokio::select! {
                () = watched.changed() => {}
                () = certificates.asked() => watched.settle().await,
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
        let certificate = self.listed.certificate.clone();
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
                let transport = self.listed.transport;
                tracing::error!(
                    transport,
                    problem,
                    "the changed certificate is refused, and the one before is shown on"
                );
            }
        }
    }

    fn say_read(&self) {
        let Listed { transport, certificate, .. } = &self.listed;
        let file = certificate.files().certificate_chain.display();
        let expires = validity(certificate).map(|validity| validity.end()).unwrap_or_default();
        tracing::info!(transport, %file, expires, "the certificate and its key were read");
    }

    /// Says how the certificate is, where that is not what was said last.
    fn judge(&mut self) {
        let Listed { transport, certificate, .. } = &self.listed;
        // What cannot be read has been refused when it was loaded.
        let Some(validity) = validity(certificate) else { return };
        let now = SystemTime::now();
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
        for Listed { transport, certificate, .. } in self.certificates.list() {
            if let Some(validity) = validity(&certificate) {
                gauge.with_label_values(&[transport]).set(validity.seconds_left(SystemTime::now()));
            }
        }
        gauge.collect()
    }
}

/// From when until when what is shown is valid.
fn validity(certificate: &LiveCertificate) -> Option<Validity> {
    Validity::of_chain(&certificate.chain())
}
