//! What has no effect where something else is not set.

use super::{file, report};

#[test]
fn what_has_no_effect_is_a_warning_when_somebody_asked_for_it() {
    let warnings = |text: &str| file(text).load().unwrap().warnings;
    assert_eq!(warnings("[transport]\nmode = 'iroh'"), [""; 0]);
    assert_eq!(
        warnings("[transport]\nmode = 'iroh'\nstrategy.raft_transport = 'always_grpc'"),
        ["node.toml:3:10: transport.strategy.raft_transport: has no effect while gRPC is off: Raft uses \
          Iroh (transport.mode: node.toml:2:1)"]
    );
    let grpc = warnings(
        "[transport]\nmode = 'grpc'\n[transport.strategy]\nprefer_iroh_for = ['health']\n\
         raft_transport = 'always_iroh'",
    );
    assert_eq!(grpc.len(), 2, "{grpc:?}");
    let tls = warnings("[transport.grpc]\ntls_cert = 'c.pem'\ntls_key = 'k.pem'");
    assert_eq!(tls.len(), 1, "{tls:?}");
}

#[test]
fn a_collector_that_cannot_be_sent_to_is_refused() {
    let lines = report(file("[telemetry]\notlp_endpoint = 'http://127.0.0.1:4317/v1/traces'"));
    let refusal = if cfg!(feature = "otlp") {
        "expected a URL without a path, as for OTLP over gRPC, found \"http://127.0.0.1:4317/v1/traces\""
    } else {
        "is http://127.0.0.1:4317/v1/traces, but this binary was built without the feature `otlp`"
    };
    assert_eq!(lines, [format!("node.toml:2:1: telemetry.otlp_endpoint: {refusal}")]);
    let loaded = file("[telemetry]\notlp_endpoint = 'http://127.0.0.1:4317'").load();
    assert_eq!(loaded.is_ok(), cfg!(feature = "otlp"));
}

#[test]
fn what_is_said_of_traces_has_no_effect_without_a_collector() {
    let loaded = file("[telemetry]\nsample_ratio = 0.5\nfilter = 'info'").load().unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "node.toml:2:1: telemetry.sample_ratio: has no effect without a collector (telemetry.otlp_endpoint: not set)",
            "node.toml:3:1: telemetry.filter: has no effect without a collector (telemetry.otlp_endpoint: not set)",
        ]
    );
}

#[test]
fn a_rule_for_a_certificate_is_a_warning_without_an_authority() {
    let rule = "[[access.allow]]\nwho = ['uid:7', 'dns:api.example.org',\n  'spiffe://example.org/a', 'spiffe://example.org/*']\n\
                what = ['operator']\n";
    let warnings = |text: &str| file(&format!("{rule}{text}")).load().unwrap().warnings;
    let said = |text: &str| {
        format!(
            "no caller can prove {text:?} to this node, which has no authority of certificates; expected client_ca of a \
             transport, or cluster.ca"
        )
    };
    assert_eq!(
        warnings(""),
        [
            format!("node.toml:2:17: access.allow[0].who[1]: {}", said("dns:api.example.org")),
            format!("node.toml:3:3: access.allow[0].who[2]: {}", said("spiffe://example.org/a")),
            format!("node.toml:3:29: access.allow[0].who[3]: {}", said("spiffe://example.org/*")),
        ]
    );
    let grpc = "[transport.grpc]\ntls_enabled = true\nclient_ca = 'ca.pem'\n";
    assert_eq!(warnings(grpc), [""; 0]);
    assert_eq!(warnings("[cluster]\nca = 'ca.pem'\n"), [""; 0]);
    assert_eq!(warnings(&format!("[transport]\nmode = 'iroh'\n{grpc}")).len(), 3, "gRPC is off");
    if cfg!(feature = "quic") {
        let quic = |enabled: bool| format!("[transport.quic]\nenabled = {enabled}\nclient_ca = 'ca.pem'\n");
        assert_eq!((warnings(&quic(true)).len(), warnings(&quic(false)).len()), (0, 3));
    }
}
