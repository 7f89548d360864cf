use polywire::ShortName;

use super::traffic::{ByTransport, Calls, Traffic};

/// When it is safe to move more calls from one transport to another.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The transport that calls are moved away from: the baseline.
    pub(super) from: String,
    /// The transport that they are moved to.
    pub(super) to: String,
    /// The fewest calls over it for a verdict.
    pub(super) min_calls: u64,
    /// By how much more of its calls may fail, from 0 to 1.
    pub(super) max_error_rate: f64,
    /// How many times as long its p99 may be.
    pub(super) max_p99_ratio: f64,
}

/// Whether it is safe for one service, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) service: String,
    pub(super) safe: bool,
    /// Why not, or why; at least one.
    pub(super) reasons: Vec<String>,
}

/// A p99 below this, in seconds, counts as this: what is shorter is within the error of buckets, and of machines.
const LEAST_P99: f64 = 0.001;

impl Rules {
    /// The verdicts on these services, by short or full name, or on all that had calls, but for those that every node has.
    pub(super) fn judge(&self, traffic: &Traffic, wanted: &[String]) -> Vec<Verdict> {
        let chosen = |service: &str| match wanted {
            [] => !is_built_in(service),
            wanted => wanted.iter().any(|name| names(name, service)),
        };
        let judged = traffic.services.iter().filter(|(service, _)| chosen(service));
        let mut verdicts: Vec<_> =
            judged.map(|(service, calls)| self.of(service, calls, traffic.seconds)).collect();
        let absent =
            wanted.iter().filter(|name| !traffic.services.keys().any(|service| names(name, service)));
        verdicts.extend(absent.map(|name| self.of_absent(name, traffic)));
        verdicts
    }

    /// The verdict on a service without a call, whose name may be misspelt.
    fn of_absent(&self, name: &str, traffic: &Traffic) -> Verdict {
        let mut verdict = self.of(name, &ByTransport::new(), traffic.seconds);
        let known: Vec<_> = traffic.services.keys().filter(|service| !is_built_in(service)).collect();
        let known = known.iter().map(|service| short_name(service)).collect::<Vec<_>>().join(", ");
        if !known.is_empty() {
            verdict
                .reasons
                .push(format!("no service has calls under this name; those with calls are {known}"));
        }
        verdict
    }

    fn of(&self, service: &str, calls: &ByTransport, seconds: f64) -> Verdict {
        let nothing = Calls::default();
        let over = |transport: &str| calls.get(transport).unwrap_or(&nothing);
        let (candidate, baseline) = (over(&self.to), over(&self.from));
        let objections = [
            self.too_few(service, candidate, seconds),
            self.too_many_failures(candidate, baseline),
            self.too_slow(candidate, baseline),
        ];
        let objections: Vec<_> = objections.into_iter().flatten().collect();
        match objections.is_empty() {
            true => Verdict {
                service: service.to_owned(),
                safe: true,
                reasons: self.findings(candidate, baseline),
            },
            false => Verdict { service: service.to_owned(), safe: false, reasons: objections },
        }
    }

    fn too_few(&self, service: &str, candidate: &Calls, seconds: f64) -> Option<String> {
        let Self { to, min_calls, .. } = self;
        let calls = candidate.count();
        if calls > 0 && calls >= *min_calls {
            return None;
        }
        let found =
            format!("{calls} calls over {to} in the last {seconds:.0} s, at least {min_calls} wanted");
        if calls > 0 {
            return Some(found);
        }
        let advice = match to.as_str() {
            "iroh" => format!(
                "; where its share is 0, give it a small one first: \
                 `[transport.strategy.shift] {} = 0.05` in the configuration of those who call",
                short_name(service)
            ),
            _ => String::new(),
        };
        Some(found + &advice)
    }

    fn too_many_failures(&self, candidate: &Calls, baseline: &Calls) -> Option<String> {
        let (failures, usual) = (candidate.failures(), baseline.failures());
        let more = failures.rate() - usual.rate();
        // More than is allowed, and more than chance.
        if more <= self.max_error_rate || failures.at_least_above(usual) <= 0.0 {
            return None;
        }
        let mostly =
            candidate.usual_failure().map(|code| format!(", mostly with {code}")).unwrap_or_default();
        Some(format!(
            "{} of the calls over {} fail{mostly}, and {} over {}; {} more are allowed",
            percent(failures.rate()),
            self.to,
            percent(usual.rate()),
            self.from,
            percent(self.max_error_rate)
        ))
    }

    fn too_slow(&self, candidate: &Calls, baseline: &Calls) -> Option<String> {
        if !self.has_latencies(candidate) || !self.has_latencies(baseline) {
            return None;
        }
        let (p99, usual) = (candidate.durations.quantile(0.99)?, baseline.durations.quantile(0.99)?);
        let allowed = self.max_p99_ratio * usual.max(LEAST_P99);
        // The lower bound, not the estimate: the slowest of a hundred calls is no p99.
        if candidate.durations.quantile_at_least(0.99)? <= allowed {
            return None;
        }
        Some(format!(
            "the p99 is {} over {}, and {} over {}; at most {} times as long is allowed",
            time(p99),
            self.to,
            time(usual),
            self.from,
            self.max_p99_ratio
        ))
    }

    fn has_latencies(&self, calls: &Calls) -> bool {
        calls.durations.calls() >= self.min_calls.max(1)
    }

    /// Why it is safe.
    fn findings(&self, candidate: &Calls, baseline: &Calls) -> Vec<String> {
        let Self { to, from, .. } = self;
        let mut findings = vec![format!(
            "{} of {} calls over {to} fail, and {} of {} over {from}",
            percent(candidate.failures().rate()),
            candidate.count(),
            percent(baseline.failures().rate()),
            baseline.count()
        )];
        if baseline.count() == 0 {
            findings.push(format!("no calls go over {from} any more"));
        } else if self.has_latencies(candidate) && self.has_latencies(baseline) {
            let p99 = |calls: &Calls| calls.durations.quantile(0.99).map(time).unwrap_or_default();
            findings.push(format!(
                "the p99 is {} over {to}, and {} over {from}",
                p99(candidate),
                p99(baseline)
            ));
        } else {
            findings.push(format!("too few unary calls over {from} or {to} to compare how long they take"));
        }
        findings
    }
}

/// Whether every node has the service, or the method is unknown: such calls tell nothing about a migration. The key-value store is an application's own.
fn is_built_in(service: &str) -> bool {
    let of_node = ["grpc.", "polywire."].iter().any(|package| service.starts_with(package));
    service == "unknown" || (of_node && !service.starts_with("polywire.kv."))
}

/// Whether this is the short or the full name of the service.
fn names(name: &str, service: &str) -> bool {
    name == service || name.parse().is_ok_and(|name: ShortName| name.names(service))
}

/// The short name of a service, which the configuration has.
fn short_name(service: &str) -> &str {
    service.split('.').find(|part| names(part, service)).unwrap_or(service)
}

pub(super) fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

pub(super) fn time(seconds: f64) -> String {
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.2} ms", 1e3 * seconds) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use polywire::Code;

    use super::*;

    fn rules() -> Rules {
        Rules {
            from: "grpc".to_owned(),
            to: "iroh".to_owned(),
            min_calls: 100,
            max_error_rate: 0.01,
            max_p99_ratio: 2.0,
        }
    }

    /// So many calls, of which so many fail and so many take 5 s instead of 50 ms.
    fn calls(count: u64, failed: u64, slow: u64) -> Calls {
        let by_code = BTreeMap::from([(Code::Ok, count - failed), (Code::Unavailable, failed)]);
        let mut calls = Calls { by_code, ..Calls::default() };
        calls.durations.add(&[0.01, 0.1, 1.0, 10.0], &[0, count - slow, 0, slow, 0]).unwrap();
        calls
    }

    fn traffic(candidate: Calls, baseline: Calls) -> Traffic {
        let service = ByTransport::from([("iroh".to_owned(), candidate), ("grpc".to_owned(), baseline)]);
        Traffic { services: [("shop.v1.Shop".to_owned(), service)].into(), seconds: 62.0 }
    }

    fn verdict(candidate: Calls, baseline: Calls) -> (bool, String) {
        let verdicts = rules().judge(&traffic(candidate, baseline), &[]);
        let [verdict] = &verdicts[..] else { panic!("one service: {verdicts:?}") };
        (verdict.safe, verdict.reasons.join("; "))
    }

    #[track_caller]
    fn unsafe_for(candidate: Calls, baseline: Calls, reason: &str) {
        let (safe, reasons) = verdict(candidate, baseline);
        assert!(!safe && reasons.contains(reason), "{reasons}");
    }

    #[test]
    fn as_good_as_the_other_is_safe() {
        let (safe, reasons) = verdict(calls(400, 1, 4), calls(1_200, 3, 12));
        assert!(safe, "{reasons}");
        assert!(
            reasons.starts_with("0.25 % of 400 calls over iroh fail, and 0.25 % of 1200 over grpc"),
            "{reasons}"
        );
    }

    #[test]
    fn too_few_calls_are_not_safe() {
        unsafe_for(
            calls(12, 0, 0),
            calls(1_200, 0, 0),
            "12 calls over iroh in the last 62 s, at least 100 wanted",
        );
    }

    #[test]
    fn where_nothing_goes_over_it_yet_it_is_said_what_to_do() {
        unsafe_for(Calls::default(), calls(1_200, 0, 0), "`[transport.strategy.shift] shop = 0.05`");
        let verdicts = rules().judge(&Traffic::default(), &["shop".to_owned()]);
        assert!(verdicts.len() == 1 && !verdicts[0].safe, "{verdicts:?}");
    }

    #[test]
    fn a_service_without_calls_may_be_misspelt_so_those_with_calls_are_named() {
        let traffic = traffic(calls(400, 0, 0), calls(400, 0, 0));
        let verdicts = rules().judge(&traffic, &["shpo".to_owned()]);
        let [Verdict { service, safe: false, reasons }] = &verdicts[..] else { panic!("{verdicts:?}") };
        assert_eq!(service, "shpo");
        assert_eq!(reasons[1..], ["no service has calls under this name; those with calls are shop"]);
    }

    #[test]
    fn more_failures_than_allowed_and_than_chance_are_not_safe() {
        unsafe_for(
            calls(400, 40, 0),
            calls(1_200, 1, 0),
            "10.00 % of the calls over iroh fail, mostly with UNAVAILABLE, and 0.08 % over grpc",
        );
        // Twice as many, but few.
        let (safe, reasons) = verdict(calls(100, 2, 0), calls(100, 1, 0));
        assert!(safe, "{reasons}");
        // Certainly more, but within what is allowed.
        let (safe, reasons) = verdict(calls(100_000, 800, 0), calls(100_000, 100, 0));
        assert!(safe, "{reasons}");
    }

    #[test]
    fn what_fails_as_often_over_the_other_is_no_reason() {
        let (safe, reasons) = verdict(calls(400, 40, 0), calls(1_200, 120, 0));
        assert!(safe, "{reasons}");
    }

    #[test]
    fn a_longer_p99_is_not_safe_and_one_slow_call_is_chance() {
        unsafe_for(calls(400, 0, 40), calls(1_200, 0, 0), "the p99 is");
        let (safe, reasons) = verdict(calls(100, 0, 2), calls(1_200, 0, 0));
        assert!(safe, "{reasons}");
    }

    #[test]
    fn where_all_calls_have_moved_they_are_judged_alone() {
        let (safe, reasons) = verdict(calls(400, 0, 0), Calls::default());
        assert!(safe && reasons.contains("no calls go over grpc any more"), "{reasons}");
        unsafe_for(calls(400, 40, 0), Calls::default(), "10.00 % of the calls over iroh fail");
    }

    #[test]
    fn services_that_every_node_has_are_judged_where_they_are_named() {
        let mut traffic = traffic(calls(400, 0, 0), calls(400, 0, 0));
        let health = traffic.services["shop.v1.Shop"].clone();
        traffic.services.insert("grpc.health.v1.Health".to_owned(), health.clone());
        traffic.services.insert("polywire.kv.v1.Kv".to_owned(), health.clone());
        traffic.services.insert("unknown".to_owned(), health);
        let judged = |wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
            rules().judge(&traffic, &wanted).into_iter().map(|verdict| verdict.service).collect::<Vec<_>>()
        };
        assert_eq!(judged(&[]), ["polywire.kv.v1.Kv", "shop.v1.Shop"]);
        assert_eq!(judged(&["health", "shop.v1.Shop"]), ["grpc.health.v1.Health", "shop.v1.Shop"]);
        assert_eq!(judged(&["unknown"]), ["unknown"]);
    }
}
