//! The rules by which calls choose a transport, and what Raft asks of them.

use std::time::Duration;

use polywire::{
    config::RaftTransport,
    policy::{Adaptive, Hedge},
};

use super::{file, load, report};

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
