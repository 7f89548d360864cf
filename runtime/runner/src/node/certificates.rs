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

/// The interval of repeated warnings about a certificate.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);

/// Watches the current certificates: reloads them when their files change, and reports problems in the log and in the node's
/// health. If the new files are invalid, the old certificate stays in use.
pub(super) fn watch(certificates: &Certificates, health: &Health, tasks: &mut JoinSet<()>) {
    for listed in certificates.list() {
        let mut watch = Watch { listed, health: health.clone(), refused: None, said: None };
        watch.say_read();
        watch.judge();
        tasks.spawn(watch.run(certificates.clone()));
    }
}

/// The metrics of the certificates' remaining validity; `None` without certificates.
pub(super) fn collector(
    certificates: &Certificates,
) -> Result<Option<Box<dyn Collector>>, prometheus::Error> {
    if certificates.list().is_empty() {
        return Ok(None);
    }
    let description = gauge()?.desc().into_iter().cloned().collect();
    Ok(Some(Box::new(Expiries { certificates: certificates.clone(), description })))
}

/// The watch of one certificate.
struct Watch {
    listed: Listed,
    health: Health,
    /// The problem of its current files.
    refused: Option<String>,
    /// The last reported validity and the time of the report.
    said: Option<(Standing, Instant)>,
}

impl Watch {
    async fn run(mut self, certificates: Certificates) {
        let mut watched = self.listed.files.clone();
        loop {
            tokio::select! {
                () = watched.changed() => {}
                () = certificates.asked() => watched.settle().await,
                // The validity also changes with time.
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
        // Reading a file blocks the thread.
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
                    "the changed certificates are refused; the previous ones stay in use"
                );
            }
        }
    }

    fn say_read(&self) {
        let Listed { transport, certificate, .. } = &self.listed;
        let files = certificate.files();
        let file = files.first().map(|file| file.display().to_string()).unwrap_or_default();
        match validity(certificate).map(|validity| validity.end()) {
            Some(expires) => {
                tracing::info!(transport, %file, expires, "the certificate and its key were read")
            }
            None => tracing::info!(transport, %file, "the authorities of clients were read"),
        }
    }

    /// Reports the validity if it has changed since the last report.
    fn judge(&mut self) {
        let Listed { transport, certificate, .. } = &self.listed;
        // Unreadable certificates are refused when they are loaded.
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
        let refused = refused
            .map(|problem| format!("the changed one is refused, the previous one stays in use: {problem}"));
        let note = Vec::from_iter(problem.into_iter().chain(refused)).join("; ");
        // The node stays ready: other transports and clients that pin a key still work, and an expired certificate would
        // otherwise take down a whole fleet at once.
        self.health.note(&format!("certificate of {transport}"), (!note.is_empty()).then_some(note));
    }
}

/// The interval of validity checks.
const JUDGING: Duration = Duration::from_secs(60);

/// Collects the validities at each scrape.
struct Expiries {
    certificates: Certificates,
    description: Vec<Desc>,
}

fn gauge() -> Result<IntGaugeVec, prometheus::Error> {
    let help = "Time until the first certificate of a transport's chain expires; negative after that.";
    IntGaugeVec::new(Opts::new("polywire_tls_certificate_expiry_seconds", help), &["transport"])
}

impl Collector for Expiries {
    fn desc(&self) -> Vec<&Desc> {
        self.description.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The constant name is well-formed.
        let Ok(gauge) = gauge() else { return Vec::new() };
        for Listed { transport, certificate, .. } in self.certificates.list() {
            if let Some(validity) = validity(&certificate) {
                gauge.with_label_values(&[transport]).set(validity.seconds_left(SystemTime::now()));
            }
        }
        gauge.collect()
    }
}

/// The validity of the certificate chain.
fn validity(certificate: &LiveCertificate) -> Option<Validity> {
    Validity::of_chain(&certificate.chain())
}
