use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{IntGauge, IntGaugeVec, Opts};

use super::*;
use polywire_core::{
    Code,
    observer::{ConnectionGauge as _, Observer as _},
};

/// Every sample of a Prometheus text by name and labels. Strict: each line must be well-formed, each sample
/// unique, and each belong to the family announced last.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a name and a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            family = name.to_owned();
        } else if let Some(help) = line.strip_prefix("# HELP ") {
            assert!(help.split_once(' ').is_some_and(|(_, text)| text.ends_with('.')), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            assert!(series.starts_with(&family), "{line} in {family}");
            assert!(series.contains('{') == series.ends_with("\"}"), "{line}");
            let value = value.parse().expect("a number");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{line} twice");
        }
    }
    samples
}

fn rendered(metrics: &Metrics) -> BTreeMap<String, f64> {
    samples(&metrics.render(Format::Text))
}

const LABELS: &str = "method=\"Get\",service=\"inventory.v1.Inventory\",transport=\"grpc\"";

fn call(metrics: &Metrics, side: Side) -> CallMetrics {
    metrics.call(side, "inventory.v1.Inventory", "Get", "grpc")
}

#[tokio::test(start_paused = true)]
async fn a_finished_call_is_counted_once_with_code_and_duration() {
    let metrics = Metrics::new();
    let in_flight = call(&metrics, Side::Server).start();
    assert_eq!(rendered(&metrics)[&format!("polywire_server_calls_in_flight{{{LABELS}}}")], 1.0);
    tokio::time::advance(Duration::from_millis(20)).await;
    in_flight.finish(Code::NotFound);

    let samples = rendered(&metrics);
    let ended: Vec<_> =
        samples.iter().filter(|(name, _)| name.starts_with("polywire_server_calls_total")).collect();
    let series = |code| format!("polywire_server_calls_total{{code=\"{code}\",{LABELS}}}");
    assert_eq!(ended, [(&series("NOT_FOUND"), &1.0), (&series("OK"), &0.0)]);
    assert_eq!(samples[&format!("polywire_server_calls_in_flight{{{LABELS}}}")], 0.0);
    assert_eq!(samples[&format!("polywire_server_call_duration_seconds_sum{{{LABELS}}}")], 0.02);
    assert_eq!(
        samples[&format!("polywire_server_call_duration_seconds_bucket{{{LABELS},le=\"0.01\"}}")],
        0.0
    );
    assert_eq!(
        samples[&format!("polywire_server_call_duration_seconds_bucket{{{LABELS},le=\"0.025\"}}")],
        1.0
    );
}

#[test]
fn a_dropped_call_was_cancelled() {
    let metrics = Metrics::new();
    drop(call(&metrics, Side::Client).start());
    let samples = rendered(&metrics);
    assert_eq!(samples[&format!("polywire_client_calls_total{{code=\"CANCELLED\",{LABELS}}}")], 1.0);
    assert_eq!(samples[&format!("polywire_client_calls_in_flight{{{LABELS}}}")], 0.0);
    assert_eq!(samples[&format!("polywire_client_call_duration_seconds_count{{{LABELS}}}")], 1.0);
}

#[test]
fn the_sides_count_apart_and_the_same_names_together() {
    let metrics = Metrics::new();
    call(&metrics, Side::Client).received(1, 10);
    // The same names at another address.
    let service = String::from("inventory.v1.Inventory").leak();
    for server in [call(&metrics, Side::Server), metrics.call(Side::Server, service, "Get", "grpc")] {
        server.received(2, 30);
        server.sent(1, 7);
    }
    let samples = rendered(&metrics);
    for (name, value) in [
        ("client_messages_received", 1.0),
        ("client_bytes_received", 10.0),
        ("server_messages_received", 4.0),
        ("server_bytes_received", 60.0),
        ("server_messages_sent", 2.0),
        ("server_bytes_sent", 14.0),
    ] {
        assert_eq!(samples[&format!("polywire_{name}_total{{{LABELS}}}")], value, "{name}");
    }
}

#[test]
fn a_known_call_is_found_again() {
    let metrics = Metrics::new();
    call(&metrics, Side::Server);
    call(&metrics, Side::Server);
    call(&metrics, Side::Client);
    assert_eq!(metrics.inner.calls.load().len(), 2);
}

#[test]
fn nodes_do_not_share_what_they_count() {
    let (one, other) = (Metrics::new(), Metrics::new());
    one.fallback("iroh", "grpc", "connect_timeout");
    let series = "polywire_client_fallbacks_total{from=\"iroh\",reason=\"connect_timeout\",to=\"grpc\"}";
    assert_eq!(rendered(&one)[series], 1.0);
    assert!(!rendered(&other).contains_key(series));
}

#[test]
fn a_connection_counts_until_it_is_closed() {
    let metrics = Metrics::new();
    let connections = metrics.connections("grpc", Side::Server);
    connections.opened();
    connections.opened();
    connections.closed();
    let series = "polywire_connections{role=\"server\",transport=\"grpc\"}";
    assert_eq!(rendered(&metrics)[series], 1.0);
    connections.closed();
    assert_eq!(rendered(&metrics)[series], 0.0);
}

#[test]
fn another_collector_is_rendered_in_both_formats() {
    let metrics = Metrics::new();
    let gauge = IntGauge::new("elsewhere", "From elsewhere.").unwrap();
    gauge.set(3);
    metrics.add_collector(Box::new(gauge.clone())).unwrap();
    assert!(metrics.add_collector(Box::new(gauge)).is_err(), "twice");
    assert_eq!(rendered(&metrics)["elsewhere"], 3.0);
    assert!(metrics.render(Format::OpenMetrics).contains("\nelsewhere 3.0\n"));
}

#[test]
fn text_escapes_what_a_label_may_hold() {
    let metrics = Metrics::new();
    let gauges = IntGaugeVec::new(Opts::new("odd", "Odd."), &["label"]).unwrap();
    gauges.with_label_values(&["a\"b\\c\nd"]).set(1);
    metrics.add_collector(Box::new(gauges)).unwrap();
    assert!(metrics.render(Format::Text).contains("\nodd{label=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

#[test]
fn openmetrics_names_families_as_its_specification_does() {
    let metrics = Metrics::new();
    call(&metrics, Side::Server).start().finish(Code::Ok);
    let text = metrics.render(Format::OpenMetrics);
    for line in [
        "# TYPE polywire_server_calls counter".to_owned(),
        format!("polywire_server_calls_total{{code=\"OK\",{LABELS}}} 1.0"),
        "# UNIT polywire_server_call_duration_seconds seconds".to_owned(),
        format!("polywire_server_call_duration_seconds_bucket{{{LABELS},le=\"+Inf\"}} 1"),
        format!("polywire_build_info{{version=\"{}\"}} 1.0", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn attempts_beyond_the_third_share_a_label() {
    let metrics = Metrics::new();
    let choices = metrics.choices(("words.v1.Words", "Read"), &["iroh"]);
    for number in 1..=6 {
        choices.ended(0, number, Code::Unavailable);
    }
    let labels = "code=\"UNAVAILABLE\",method=\"Read\",service=\"words.v1.Words\",transport=\"iroh\"";
    let ended = |attempt| {
        rendered(&metrics)[&format!("polywire_client_attempts_total{{attempt=\"{attempt}\",{labels}}}")]
    };
    assert_eq!([ended("1"), ended("2"), ended("3"), ended("4+")], [1.0, 1.0, 1.0, 3.0]);
}
