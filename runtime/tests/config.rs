//! The configuration as its users meet it: layers in, a configuration or one report out.

#![cfg(feature = "node")]

use polywire::{
    config::{Config, Loader, Mode, Origin, RaftTransport},
    policy::{Adaptive, Hedge},
};
use proptest::prelude::*;
use std::{net::Ipv6Addr, time::Duration};

/// Word for word the example of the project's founding document.
const FOUNDING: &str = r#"[transport]
mode = "dual"

[transport.grpc]
bind_address = "0.0.0.0:7001"
max_message_size = 4194304
tls_enabled = false

[transport.iroh]
enabled = true
home_relay = "https://relay.iroh.network"
discovery_port = 0
alpn_protocols = ["blixard/health/1", "blixard/status/1", "blixard/monitoring/1"]

[transport.strategy]
prefer_iroh_for = ["health", "status", "monitoring"]
raft_transport = "always_grpc"
fallback_to_grpc = true
"#;

fn file(text: &str) -> Loader {
    Loader::new().text("node.toml", text)
}

fn report(loader: Loader) -> Vec<String> {
    let error = loader.load().expect_err("this configuration is wrong");
    error.to_string().lines().map(str::to_owned).collect()
}

fn load(loader: Loader) -> Config {
    loader.load().unwrap_or_else(|error| panic!("{error}")).config
}

#[test]
fn the_founding_example_loads_word_for_word() {
    let loaded = file(FOUNDING).load().unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    let transport = loaded.config.transport;
    assert_eq!(transport.mode, Mode::Dual);
    assert_eq!(transport.grpc.bind_address.to_string(), "0.0.0.0:7001");
    assert_eq!(transport.iroh.home_relay.unwrap().host_str(), Some("relay.iroh.network"));
    let services = transport.iroh.alpn_protocols.iter().map(|name| name.service().as_str());
    assert!(services.eq(["health", "status", "monitoring"]));
    assert_eq!(transport.strategy.raft_transport, RaftTransport::AlwaysGrpc);
}

#[test]
fn nothing_at_all_is_the_default_on_loopback() {
    let config = load(Loader::new());
    assert_eq!(config, Config::default());
    assert_eq!(config.transport.grpc.bind_address.to_string(), "127.0.0.1:7001");
    assert_eq!(config.transport.iroh.socket_addr().to_string(), "127.0.0.1:0");
    assert_eq!(config.http.bind_address.to_string(), "127.0.0.1:7080");
    assert_eq!(config.node.drain_timeout, Duration::from_secs(8));
}

#[test]
fn every_section_may_be_empty() {
    let text = "[node]\n[transport]\n[transport.grpc]\n[transport.iroh]\n\
                [transport.strategy]\n[http]\n[health]\n[log]\n";
    assert_eq!(load(file(text)), Config::default());
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let loaded = file("[log]\nfilter = 'file'\nformat = 'json'\n[node]\ndata_dir = '/file'")
        .flag("log.filter", "flag")
        .env([
            variable("POLYWIRE__LOG__FILTER", "env"),
            variable("polywire__node__data_dir", "/env"),
            variable("LOG__FORMAT", "human"),
        ])
        .load()
        .unwrap();
    assert_eq!(loaded.config.log.filter, "flag");
    assert_eq!(loaded.config.node.data_dir.to_str(), Some("/env"));
    assert_eq!(loaded.origin("log.filter"), Origin::Flag("log.filter".to_owned()));
    assert_eq!(loaded.origin("node.data_dir"), Origin::Env("polywire__node__data_dir".to_owned()));
    assert_eq!(loaded.origin("log.format").to_string(), "node.toml:3:1");
    assert_eq!(loaded.origin("http.enabled"), Origin::Default);
}

#[test]
fn text_becomes_the_type_of_its_key() {
    let config = load(
        Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("transport.grpc.max_message_size", "1024")
            .flag("transport.iroh.enabled", "false")
            .flag("transport.iroh.connect_timeout", "250ms")
            .flag("transport.iroh.alpn_protocols", "blixard/health/2,blixard/health/1")
            .flag("transport.strategy.raft_transport", "{ adaptive = { latency_threshold_ms = 50 } }"),
    );
    assert_eq!(config.transport.grpc.bind_address.port(), 0);
    assert_eq!(config.transport.grpc.max_message_size, 1024);
    assert!(!config.transport.iroh.enabled);
    assert_eq!(config.transport.iroh.connect_timeout, Duration::from_millis(250));
    assert_eq!(config.transport.iroh.alpn_protocols[0].major(), 2);
    let adaptive = RaftTransport::Adaptive { latency_threshold_ms: 50.0 };
    assert_eq!(config.transport.strategy.raft_transport, adaptive);
}

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
fn each_wrong_element_of_a_list_is_reported_at_its_own_place() {
    let text = "[transport.iroh]\nalpn_protocols = [\n  \"blixard\",\n  \"blixard/health/1\",\n  \
                \"polywire/health/1\",\n  7,\n]\n";
    let lines = report(file(text));
    let starts = [
        "node.toml:3:3: transport.iroh.alpn_protocols[0]: expected",
        "node.toml:5:3: transport.iroh.alpn_protocols[2]: expected",
        "node.toml:6:3: transport.iroh.alpn_protocols[3]: expected",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(lines[1].contains("reserved"), "{}", lines[1]);
}

#[test]
fn a_list_from_a_flag_is_not_blamed_on_the_file() {
    let text = "[transport.strategy]\nprefer_iroh_for = ['health', 'status']";
    let lines = report(file(text).flag("transport.strategy.prefer_iroh_for", "health,sta-tus"));
    assert!(
        lines[0].starts_with("--transport.strategy.prefer_iroh_for: transport.strategy.prefer_iroh_for[1]: "),
        "{lines:?}"
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

#[test]
fn two_spellings_of_one_variable_are_refused() {
    let variable = |name: &str| (name.to_owned(), "dual".to_owned());
    let names = ["POLYWIRE__TRANSPORT__MODE", "POLYWIRE__transport__mode"];
    let lines = report(Loader::new().env(names.map(variable)));
    assert!(lines[0].contains("already set by POLYWIRE__TRANSPORT__MODE"), "{lines:?}");
}

/// Each text contradicts itself; the report names both keys and where they are.
#[test]
fn contradictions_name_both_keys_and_their_places() {
    let cases = [
        (
            "[transport.grpc]\ntls_enabled = true",
            ["2:1: transport.grpc.tls_enabled", "transport.grpc.tls_cert: not set"],
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
fn a_strategy_says_of_each_service_how_its_calls_choose() {
    let text = r#"
        [transport.strategy]
        prefer_iroh_for = ["health"]
        raft_transport = { adaptive = { latency_threshold_ms = 50.0 } }
        [transport.strategy.shift]
        inventory = 0.25
        [transport.strategy.policy.inventory]
        adaptive = true
        [transport.strategy.policy."inventory/Get"]
        hedge = "p95"
        shadow = 0.01
    "#;
    let policies = load(file(text)).transport.strategy.policies();
    let of = |path: &str| policies.of(path).clone();
    assert_eq!(of("/grpc.health.v1.Health/Check").prefer, ["iroh", "grpc"]);
    assert_eq!(of("/polywire.kv.v1.Kv/Get").prefer, ["grpc", "iroh"]);
    let service = of("/inventory.v1.Inventory/List");
    assert_eq!((service.share, service.adaptive), (0.25, Adaptive::Fastest));
    let method = of("/inventory.v1.Inventory/Get");
    assert_eq!((method.share, method.adaptive), (0.25, Adaptive::Fastest));
    assert_eq!((method.hedge, method.shadow), (Some(Hedge::Percentile(95)), 0.01));
    assert_eq!(of("/polywire.raft.v1.Raft/Vote").adaptive, Adaptive::Below(Duration::from_millis(50)));
    let strict = load(file("[transport.strategy]\nprefer_iroh_for = ['health']\nfallback_to_grpc = false"));
    let policies = strict.transport.strategy.policies();
    assert!(!policies.of("/grpc.health.v1.Health/Check").fallback);
    assert!(!policies.of("/polywire.raft.v1.Raft/Vote").fallback, "always_grpc means always");
}

#[test]
fn what_is_wrong_in_a_rule_is_said() {
    let cases = [
        ("shift = { health = 1.5 }", "shift: expected a share from 0 to 1"),
        ("shift = { 'a b' = 0.5 }", "shift"),
        ("policy = { kv = { hedge = 'soon' } }", "says of no moment to hedge at"),
        ("policy = { kv = { hegde = 'p95' } }", "hegde"),
        ("policy = { 'kv/' = { adaptive = true } }", "expected the short name of a service"),
        ("policy = { kv = { max_attempts = 0 } }", "policy: expected a rule"),
    ];
    for (line, reason) in cases {
        let lines = report(file(&format!("[transport.strategy]\n{line}")));
        assert_eq!(lines.len(), 1, "{line}: {lines:?}");
        assert!(lines[0].starts_with("node.toml:2:") && lines[0].contains(reason), "{line}: {lines:?}");
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

const ADAPTIVE: &str = "{ adaptive = { latency_threshold_ms = 5.0 } }";

#[test]
fn raft_goes_over_what_is_served_and_whoever_asked_for_another_is_told() {
    let served = |mode: &str, rule: &str| {
        let rule = if rule.is_empty() { String::new() } else { format!("strategy.raft_transport = {rule}") };
        let loaded = file(&format!("[transport]\nmode = '{mode}'\n{rule}")).load().unwrap();
        (loaded.config.transport.raft_transport(), loaded.warnings)
    };
    let adaptive = RaftTransport::Adaptive { latency_threshold_ms: 5.0 };
    for (mode, rule, taken, warning) in [
        ("dual", "'always_iroh'", RaftTransport::AlwaysIroh, None),
        ("dual", ADAPTIVE, adaptive, None),
        ("grpc", "", RaftTransport::AlwaysGrpc, None),
        ("iroh", "", RaftTransport::AlwaysIroh, None),
        ("iroh", "'always_iroh'", RaftTransport::AlwaysIroh, None),
        (
            "iroh",
            "'always_grpc'",
            RaftTransport::AlwaysIroh,
            Some("has no effect while gRPC is off: Raft uses Iroh"),
        ),
        (
            "grpc",
            "'always_iroh'",
            RaftTransport::AlwaysGrpc,
            Some("has no effect while Iroh is off: Raft uses gRPC"),
        ),
        (
            "iroh",
            ADAPTIVE,
            RaftTransport::AlwaysIroh,
            Some("has no effect while gRPC is off: Raft uses Iroh"),
        ),
        (
            "grpc",
            ADAPTIVE,
            RaftTransport::AlwaysGrpc,
            Some("has no effect while Iroh is off: Raft uses gRPC"),
        ),
        ("none", ADAPTIVE, adaptive, Some("has no effect while gRPC and Iroh are off")),
    ] {
        let (found, warnings) = served(mode, rule);
        assert_eq!(found, taken, "{mode} {rule}");
        assert_eq!(warnings.len(), usize::from(warning.is_some()), "{mode} {rule}: {warnings:?}");
        assert!(warnings.iter().all(|line| line.contains(warning.unwrap())), "{mode} {rule}: {warnings:?}");
    }
}

#[test]
fn nodes_that_list_each_other_must_serve_what_raft_asks_for() {
    let text = |mode: &str, rule: &str| {
        let rule = if rule.is_empty() { String::new() } else { format!("raft_transport = {rule}") };
        let peers = "[cluster]\npeers = ['grpc://127.0.0.1:7001']";
        format!("[transport]\nmode = '{mode}'\n[transport.strategy]\n{rule}\n{peers}")
    };
    for (mode, rule, place, asked, expected) in [
        ("iroh", "", "default", "gRPC", "expected \"always_iroh\""),
        ("iroh", "'always_grpc'", "node.toml:4:1", "gRPC", "expected \"always_iroh\""),
        ("grpc", "'always_iroh'", "node.toml:4:1", "Iroh", "expected \"always_grpc\""),
        ("none", ADAPTIVE, "node.toml:4:1", "gRPC or Iroh", "expected another transport.mode"),
    ] {
        let lines = report(file(&text(mode, rule)));
        assert_eq!(lines.len(), 1, "{lines:?}");
        let start = format!(
            "{place}: transport.strategy.raft_transport: requires {asked}, which transport.mode disables"
        );
        assert!(lines[0].starts_with(&start), "{lines:?}");
        assert!(lines[0].contains(expected), "{lines:?}");
        for place in ["(transport.mode: node.toml:2:1", "cluster.peers: node.toml:6:1)"] {
            assert!(lines[0].contains(place), "{lines:?}");
        }
    }
    for (mode, rule) in
        [("iroh", "'always_iroh'"), ("iroh", ADAPTIVE), ("grpc", ADAPTIVE), ("grpc", ""), ("dual", "")]
    {
        load(file(&text(mode, rule)));
    }
    let off = "[transport.iroh]\nenabled = false\n[transport.strategy]\nraft_transport = 'always_iroh'\n\
               [cluster]\npeers = ['grpc://127.0.0.1:7001']";
    let lines = report(file(off));
    assert!(lines[0].contains("transport.iroh.enabled disables"), "{lines:?}");
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
fn a_configuration_made_by_a_program_is_checked_like_one_that_was_read() {
    let mut config = Config::default();
    assert_eq!(config.check(), Ok(()));
    config.transport.grpc.max_message_size = 0;
    config.transport.grpc.tls_enabled = true;
    let error = config.check().unwrap_err();
    let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["transport.grpc.max_message_size", "transport.grpc.tls_enabled"]);
}

#[test]
fn what_is_printed_loads_as_the_same_configuration() {
    for config in [Config::default(), load(file(FOUNDING)), unusual()] {
        let text = config.to_toml().unwrap();
        assert_eq!(load(file(&text)), config, "{text}");
    }
}

fn unusual() -> Config {
    let mut config = Config::default();
    config.node.data_dir = "/a \"b\"/\n'c'".into();
    config.node.drain_timeout = Duration::from_millis(90_001);
    config.transport.grpc.tls_enabled = true;
    config.transport.grpc.tls_cert = Some("cert.pem".into());
    config.transport.grpc.tls_key = Some("key.pem".into());
    config.transport.iroh.bind_address = Some(Ipv6Addr::LOCALHOST.into());
    config.transport.strategy.raft_transport = RaftTransport::Adaptive { latency_threshold_ms: 0.5 };
    config
}

#[test]
fn unset_keys_are_printed_as_comments_that_work_once_uncommented() {
    let text = Config::default().to_toml().unwrap();
    let mut uncommented = text.clone();
    for key in ["tls_cert", "tls_key", "home_relay", "bind_address"] {
        let comment = format!("\n# {key} = ");
        assert!(text.contains(&comment), "{key} in {text}");
        uncommented = uncommented.replace(&comment, &format!("\n{key} = "));
    }
    let config = load(file(&uncommented));
    assert!(config.transport.grpc.tls_cert.is_some());
    assert!(config.transport.iroh.home_relay.is_some());
}

#[test]
fn every_key_is_printed_below_its_documentation() {
    let text = Config::default().to_toml().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_key = |line: &str| line.trim_start_matches("# ").contains(" = ");
    let bare: Vec<&&str> = lines
        .windows(2)
        .filter(|pair| is_key(pair[1]) && !pair[1].contains('{') && !pair[0].starts_with('#'))
        .map(|pair| &pair[1])
        .collect();
    assert_eq!(bare, [&""; 0]);
    let sections = lines.iter().filter(|line| line.starts_with('['));
    let transports = ["quic", "unix", "websocket", "memory"].map(|name| format!("[transport.{name}]"));
    assert_eq!(sections.filter(|line| !transports.iter().any(|transport| transport == *line)).count(), 11);
}

/// Every key, as the dotted name and the text that a command line would have.
fn leaves(path: &str, table: &toml::Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in table {
        let key = format!("{path}.{name}").trim_start_matches('.').to_owned();
        match value {
            toml::Value::Table(inner) => all.extend(leaves(&key, inner)),
            toml::Value::String(text) => all.push((key, text.clone())),
            other => all.push((key, other.to_string())),
        }
    }
    all
}

#[test]
fn every_key_can_be_set_by_a_flag_and_by_the_environment() {
    let printed: toml::Table = unusual().to_toml().unwrap().parse().unwrap();
    let keys = leaves("", &printed);
    assert!(keys.len() > 35, "{keys:?}");
    let flags = keys.iter().fold(Loader::new(), |loader, (key, text)| loader.flag(key, text));
    assert_eq!(load(flags), unusual());
    let variables = keys.iter().map(|(key, text)| {
        let name = format!("POLYWIRE__{}", key.replace('.', "__").to_uppercase());
        (name, text.clone())
    });
    assert_eq!(load(Loader::new().env(variables)), unusual());
}

#[test]
fn a_key_below_an_unknown_one_or_below_a_value_is_unknown() {
    let key = "transport.strategy.raft_transport.adaptive.latency";
    let lines = report(Loader::new().flag(key, "1"));
    assert!(lines[0].contains("unknown field `latency`"), "{lines:?}");
    for key in ["", "transport..mode", "pigeons.bind_address", "transport.pigeons.bind_address"] {
        let lines = report(Loader::new().flag(key, "1"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("unknown"), "{lines:?}");
    }
}

#[test]
fn a_section_cannot_be_set_to_a_text() {
    assert_eq!(
        report(Loader::new().flag("transport", "grpc")),
        ["--transport: transport: expected a section [transport], found \"grpc\""]
    );
    let config = load(Loader::new().flag("http", "{ enabled = false }"));
    assert!(!config.http.enabled);
}

/// Pieces of TOML that are right in one place and wrong in most others.
const VALUES: [&str; 14] = [
    "true",
    "0",
    "-1",
    "7002",
    "0.5",
    "nan",
    "'10s'",
    "'dual'",
    "'127.0.0.1:7001'",
    "['health', 1]",
    "[['a/b/1'], {}]",
    "{ adaptive = [50.0] }",
    "{}",
    "1979-05-27",
];

proptest! {
    #[test]
    fn whatever_is_set_there_is_a_configuration_or_a_report(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len(), any::<bool>()), 0..12)
    ) {
        let printed: toml::Table = unusual().to_toml().unwrap().parse().unwrap();
        let keys = leaves("", &printed);
        let mut text = String::new();
        let mut loader = Loader::new();
        for (key, value, in_file) in picks {
            let (key, value) = (&key.get(&keys).0, VALUES[value]);
            if in_file {
                text += &format!("{key} = {value}\n");
            } else {
                loader = loader.flag(key, value);
            }
        }
        match loader.text("node.toml", text).load() {
            Ok(loaded) => prop_assert_eq!(loaded.config.check(), Ok(())),
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "[\\[\\]a-z.='\"\\n{}0-9ä]{0,60}", value in "\\PC{0,20}") {
        let _ = file(&text).flag("transport.iroh.alpn_protocols", &value).load();
    }
}

#[test]
fn a_list_comes_element_by_element_from_variables_and_flags_and_replaces_that_of_a_lower_layer() {
    let variable =
        |index: u32, target: &str| (format!("POLYWIRE__CLUSTER__PEERS__{index}"), target.to_owned());
    let below = "[cluster]\npeers = ['grpc://127.0.0.1:9']";
    let peers =
        |loader: Loader| load(loader).cluster.peers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let one_by_one = [variable(1, "grpc://127.0.0.1:2"), variable(0, "grpc://127.0.0.1:1")];
    let expected = ["grpc://127.0.0.1:1", "grpc://127.0.0.1:2"];
    assert_eq!(peers(file(below).env(one_by_one)), expected);
    let flags = file(below).flag("cluster.peers.0", expected[0]).flag("cluster.peers[1]", expected[1]);
    assert_eq!(peers(flags), expected);
    let later =
        Loader::new().flag("cluster.peers.0", "grpc://127.0.0.1:3").flag("cluster.peers.0", expected[0]);
    assert_eq!(peers(later), expected[..1]);
}

#[test]
fn a_list_with_a_gap_or_in_two_forms_is_an_error_that_names_what_said_it() {
    let gap =
        report(Loader::new().flag("cluster.peers.0", "grpc://a:1").flag("cluster.peers.2", "grpc://b:1"));
    let expected =
        "--cluster.peers.2: cluster.peers: missing element 1; expected elements from 0 without gaps";
    assert_eq!(gap, [expected]);
    let both =
        report(Loader::new().flag("cluster.peers", "grpc://a:1").flag("cluster.peers.0", "grpc://b:1"));
    let expected = "--cluster.peers.0: cluster.peers: --cluster.peers sets the whole list; \
                    expected either the list or its elements";
    assert_eq!(both, [expected]);
}

#[test]
fn what_is_below_a_value_is_named_by_what_said_it_also_over_a_file() {
    let lines = report(file("[transport]\nmode = 'dual'").flag("transport.mode.x", "1"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("--transport.mode.x: transport.mode: expected \"grpc\""), "{lines:?}");
    let name = "POLYWIRE__TRANSPORT__GRPC__BIND_ADDRESS__PORT".to_owned();
    let lines = report(Loader::new().env([(name.clone(), "1".to_owned())]));
    assert!(lines[0].starts_with(&format!("{name}: transport.grpc.bind_address: expected")), "{lines:?}");
}

#[test]
fn values_that_are_not_unicode_are_paths_or_errors() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let odd = || OsString::from_vec(b"a\xff".to_vec());
    let config = load(
        Loader::new()
            .flag("node.data_dir", odd())
            .flag("transport.grpc.tls_cert", odd())
            .flag("transport.grpc.tls_key", odd()),
    );
    assert_eq!(config.node.data_dir.as_os_str(), odd());
    assert_eq!(config.transport.grpc.tls_key.as_ref().map(|path| path.as_os_str().to_owned()), Some(odd()));
    let again = load(file(&config.to_toml().unwrap()));
    assert_eq!(again.node.data_dir, config.node.data_dir);
    let lines = report(Loader::new().env([("POLYWIRE__HTTP__ENABLED".to_owned(), odd())]));
    assert_eq!(lines, ["POLYWIRE__HTTP__ENABLED: http.enabled: invalid Unicode; expected true or false"]);
}
