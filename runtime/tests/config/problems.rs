//! What is refused, and how the report names it.

use polywire::config::{Config, Loader};

use super::{file, report};

#[test]
fn all_problems_of_all_layers_come_in_one_report() {
    let text = "[transport.grpc]\n  bind_adress = \"127.0.0.1:1\"\n  tls_enabled = \"yes\"\n\
                [transport.iroh]\nidle_timeout = \"0s\"\ndiscovery_port = 70000\n";
    let lines = report(
        file(text)
            .env([("POLYWIRE__TRANSPORT__MOED".to_owned(), "dual".to_owned())])
            .flag("transport.mode", "tripple"),
    );
    assert_eq!(
        lines,
        [
            "node.toml:2:3: transport.grpc.bind_adress: unknown key; \
             did you mean `transport.grpc.bind_address`?",
            "node.toml:3:3: transport.grpc.tls_enabled: expected true or false, found \"yes\"",
            "node.toml:5:1: transport.iroh.idle_timeout: expected a duration above zero and up to a \
             year, such as \"10s\" or \"500ms\", found \"0s\"",
            "node.toml:6:1: transport.iroh.discovery_port: expected a port from 0 to 65535, 0 for \
             any free one, found 70000",
            "POLYWIRE__TRANSPORT__MOED: transport.moed: unknown key; did you mean `transport.mode`?",
            "--transport.mode: transport.mode: expected \"grpc\", \"iroh\", \"dual\" or \"none\", found \"tripple\"",
        ]
    );
}

#[test]
fn a_section_that_is_no_section_is_reported() {
    let lines = report(file("transport = 'dual'\n[[http]]\nenabled = true"));
    assert_eq!(lines[0], "node.toml:1:1: transport: expected a section [transport], found \"dual\"");
    assert!(lines[1].starts_with("node.toml:2:3: http: expected a section [http], found"));
}

#[test]
fn a_file_that_is_not_toml_says_where_and_nothing_follows_from_it() {
    let lines = report(file("[transport.grpc]\ntls_cert = \n").flag("transport.grpc.tls_enabled", "true"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("node.toml:2:"), "{lines:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let lines = report(Loader::new().file("no/such/node.toml"));
    assert!(lines[0].starts_with("no/such/node.toml: cannot be read: "), "{lines:?}");
}

/// Each text contradicts itself; the report names both keys and where they are.
#[test]
fn contradictions_name_both_keys_and_their_places() {
    let cases = [
        (
            "[transport.grpc]\nclient_ca = 'ca.pem'",
            ["2:1: transport.grpc.client_ca", "transport.grpc.tls_enabled: not set"],
        ),
        (
            "[transport.grpc]\ntls_enabled = true\ntls_key = 'k.pem'",
            ["3:1: transport.grpc.tls_key", "transport.grpc.tls_cert: not set"],
        ),
        (
            "[transport.grpc]\ntls_cert = 'c.pem'",
            ["2:1: transport.grpc.tls_cert", "transport.grpc.tls_key: not set"],
        ),
        (
            "[transport.strategy]\nretired_on_grpc = ['health']",
            ["2:1: transport.strategy.retired_on_grpc", "transport.strategy.fallback_to_grpc: not set"],
        ),
        (
            "[transport.strategy]\nfallback_to_grpc = true\nretired_on_grpc = ['health']",
            ["3:1: transport.strategy.retired_on_grpc", "transport.strategy.fallback_to_grpc: node.toml:2:1"],
        ),
        (
            "[transport.strategy]\nprefer_iroh_for = ['health']\nshift = { health = 0.5 }",
            ["3:1: transport.strategy.shift", "transport.strategy.prefer_iroh_for: node.toml:2:1"],
        ),
        (
            "[transport]\nmode = 'iroh'\niroh.enabled = false",
            ["2:1: transport.mode", "transport.iroh.enabled: node.toml:3:6"],
        ),
        (
            "[transport.iroh]\nkeep_alive_interval = '10s'",
            ["2:1: transport.iroh.keep_alive_interval", "transport.iroh.idle_timeout: not set"],
        ),
        (
            "[http]\nbind_address = '127.0.0.1:7001'",
            ["2:1: http.bind_address", "transport.grpc.bind_address: not set"],
        ),
    ];
    for (text, [start, end]) in cases {
        let lines = report(file(text));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("node.toml:{start}: ")), "{lines:?}");
        assert!(lines[0].contains(end), "{lines:?}");
    }
}

#[test]
fn a_contradiction_with_a_value_that_could_not_be_read_is_not_reported() {
    let text = "[transport.grpc]\ntls_enabled = true\ntls_cert = 1\ntls_key = 'k.pem'";
    let lines = report(file(text));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("tls_cert: expected a path"), "{lines:?}");
}

#[test]
fn a_repeated_alpn_name_is_refused_where_it_is_repeated() {
    let lines = report(file("[transport.iroh]\nalpn_protocols = ['a/b/1', 'a/b/2', 'a/b/1']"));
    assert_eq!(
        lines,
        ["node.toml:2:37: transport.iroh.alpn_protocols[2]: \
          expected each name once, found \"a/b/1\" again"]
    );
}

#[test]
fn values_out_of_range_are_refused() {
    let wrong = [
        ("transport.grpc.max_message_size", "0"),
        ("transport.grpc.max_message_size", "1073741825"),
        ("transport.iroh.max_message_size", "0"),
        ("transport.grpc.max_message_size", "-1"),
        ("transport.grpc.max_connections", "0"),
        ("transport.iroh.max_concurrent_streams", "0"),
        ("transport.iroh.connect_timeout", "5"),
        ("transport.iroh.connect_timeout", "5 fortnights"),
        ("transport.iroh.connect_timeout", "2years"),
        ("transport.grpc.bind_address", "localhost:7001"),
        ("transport.grpc.bind_address", "127.0.0.1:70000"),
        ("transport.iroh.bind_address", "127.0.0.1:0"),
        ("transport.iroh.home_relay", "relay.example"),
        ("transport.iroh.home_relay", "mailto:relay@example"),
        ("transport.strategy.raft_transport", "adaptive"),
        ("transport.strategy.raft_transport", "{ adaptive = { latency_threshold_ms = 0 } }"),
        ("transport.strategy.raft_transport", "{ adaptive = { latency_threshold_ms = nan } }"),
        ("transport.strategy.raft_transport", "{ adaptive = { latency = 1 } }"),
        ("transport.strategy.prefer_iroh_for", "blixard.health.v1"),
        ("health.min_free_bytes", "-1"),
        ("log.filter", "polywire=loud"),
        ("telemetry.otlp_endpoint", "collector.example"),
        ("telemetry.otlp_endpoint", "grpc://127.0.0.1:4317"),
        ("telemetry.sample_ratio", "1.1"),
        ("telemetry.sample_ratio", "-0.1"),
        ("telemetry.sample_ratio", "nan"),
        ("telemetry.filter", "polywire=loud"),
        ("node.data_dir", ""),
    ];
    for (key, value) in wrong {
        let lines = report(Loader::new().flag(key, value));
        assert_eq!(lines.len(), 1, "{key} = {value}: {lines:?}");
        assert!(lines[0].starts_with(&format!("--{key}: {key}")), "{lines:?}");
        assert!(lines[0].contains("expected"), "{lines:?}");
    }
}

#[test]
fn a_configuration_made_by_a_program_is_checked_like_one_that_was_read() {
    let mut config = Config::default();
    assert_eq!(config.check(), Ok(()));
    config.transport.grpc.max_message_size = 0;
    config.transport.grpc.tls_key = Some("k.pem".into());
    let error = config.check().unwrap_err();
    let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["transport.grpc.max_message_size", "transport.grpc.tls_key"]);
}
