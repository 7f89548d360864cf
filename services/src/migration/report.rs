use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{
    survey::Survey,
    traffic::Calls,
    verdict::{Rules, Verdict, percent, time},
};

/// The report on a migration: for people by `Display`, and as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether it is safe to move more calls, for all services.
    pub(super) safe: bool,
    from: String,
    to: String,
    /// Over how long calls were counted.
    window_seconds: f64,
    /// The nodes that did not answer.
    unreached: Vec<Unreached>,
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Unreached {
    target: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Service {
    service: String,
    safe: bool,
    reasons: Vec<String>,
    transports: Vec<Transport>,
}

#[derive(Debug, Serialize)]
struct Transport {
    transport: String,
    calls: u64,
    errors: u64,
    error_rate: f64,
    codes: BTreeMap<&'static str, u64>,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
}

impl Report {
    pub(super) fn of(survey: &Survey, rules: &Rules, wanted: &[String]) -> Self {
        let traffic = &survey.traffic;
        let unreached: Vec<_> = survey
            .silent
            .iter()
            .map(|(target, status)| Unreached { target: target.to_string(), reason: status.to_string() })
            .collect();
        let service = |verdict: Verdict| {
            let calls = traffic.services.get(&verdict.service).cloned().unwrap_or_default();
            let transports = calls.iter().map(|(transport, calls)| Transport::of(transport, calls));
            let Verdict { safe, reasons, service } = verdict;
            Service { transports: transports.collect(), service, safe, reasons }
        };
        let services: Vec<_> = rules.judge(traffic, wanted).into_iter().map(service).collect();
        let safe =
            unreached.is_empty() && !services.is_empty() && services.iter().all(|service| service.safe);
        let (from, to) = (rules.from.clone(), rules.to.clone());
        Self { safe, from, to, window_seconds: traffic.seconds, unreached, services }
    }
}

impl Transport {
    fn of(transport: &str, calls: &Calls) -> Self {
        let failures = calls.failures();
        Self {
            transport: transport.to_owned(),
            calls: failures.of,
            errors: failures.hits,
            error_rate: failures.rate(),
            codes: calls.by_code.iter().map(|(code, calls)| (code.name(), *calls)).collect(),
            p50_seconds: calls.durations.quantile(0.5),
            p99_seconds: calls.durations.quantile(0.99),
        }
    }
}

const HEADINGS: [&str; 7] = ["SERVICE", "TRANSPORT", "CALLS", "ERRORS", "RATE", "P50", "P99"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.services.iter().flat_map(|service| {
            service.transports.iter().map(|transport| {
                let quantile = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), time);
                [
                    service.service.clone(),
                    transport.transport.clone(),
                    transport.calls.to_string(),
                    transport.errors.to_string(),
                    percent(transport.error_rate),
                    quantile(transport.p50_seconds),
                    quantile(transport.p99_seconds),
                ]
            })
        });
        let rows: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows).collect();
        let widths: [usize; HEADINGS.len()] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
        for row in &rows {
            let [service, transport, figures @ ..] = row;
            write!(f, "{service:<0$}  {transport:<1$}", widths[0], widths[1])?;
            for (figure, width) in figures.iter().zip(&widths[2..]) {
                write!(f, "  {figure:>width$}")?;
            }
            writeln!(f)?;
        }
        self.verdicts(f)
    }
}

impl Report {
    fn verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Unreached { target, reason } in &self.unreached {
            writeln!(f, "not safe: {target} did not report its calls: {reason}")?;
        }
        if self.services.is_empty() {
            writeln!(
                f,
                "not safe: no service had calls in the last {:.0} s; those that every node has are judged where \
                 --service names them",
                self.window_seconds
            )?;
        }
        for Service { service, safe, reasons, .. } in &self.services {
            let verdict = if *safe { "safe to raise the share of" } else { "not safe to raise the share of" };
            writeln!(f, "{service}: {verdict} {}: {}", self.to, reasons.join("; "))?;
        }
        Ok(())
    }
}
