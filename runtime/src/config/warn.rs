//! What a configuration says without effect.

use super::{Config, Grpc, Mode, RaftTransport, Telemetry, Transport, finding::Finding};

const MODE: &str = "transport.mode";
const RAFT: &str = "transport.strategy.raft_transport";

/// What can be used, but does less than it says.
pub(super) fn warnings(config: &Config) -> Vec<Finding> {
    let transport = &config.transport;
    let mut found = Vec::new();
    found.extend(without_grpc(transport));
    found.extend(without_iroh(transport));
    found.extend(without_tls(&transport.grpc));
    found.extend(without_collector(&config.telemetry));
    found
}

fn without_grpc(transport: &Transport) -> Option<Finding> {
    let wrong = !transport.serves_grpc() && transport.strategy.raft_transport == RaftTransport::AlwaysGrpc;
    wrong.then(|| Finding::new(RAFT, [MODE], "has no effect while gRPC is off"))
}

fn without_iroh(transport: &Transport) -> Vec<Finding> {
    if transport.serves_iroh() {
        return Vec::new();
    }
    let off = match transport.mode {
        Mode::Grpc | Mode::None => MODE,
        Mode::Iroh | Mode::Dual => "transport.iroh.enabled",
    };
    let strategy = &transport.strategy;
    let idle = "has no effect while Iroh is off";
    let unserved = "these services are not served at all while Iroh is off";
    [
        (RAFT, strategy.raft_transport != RaftTransport::AlwaysGrpc, idle),
        ("transport.strategy.prefer_iroh_for", !strategy.prefer_iroh_for.is_empty(), idle),
        ("transport.strategy.retired_on_grpc", !strategy.retired_on_grpc.is_empty(), unserved),
    ]
    .into_iter()
    .filter(|(_, wrong, _)| *wrong)
    .map(|(key, _, message)| Finding::new(key, [off], message))
    .collect()
}

fn without_tls(grpc: &Grpc) -> Option<Finding> {
    let wrong = !grpc.tls_enabled && grpc.tls_cert.is_some();
    wrong.then(|| {
        let [cert, enabled] = ["transport.grpc.tls_cert", "transport.grpc.tls_enabled"];
        Finding::new(cert, [enabled], "has no effect while TLS is off")
    })
}

fn without_collector(telemetry: &Telemetry) -> Vec<Finding> {
    if telemetry.otlp_endpoint.is_some() {
        return Vec::new();
    }
    let default = Telemetry::default();
    let set = [
        ("telemetry.sample_ratio", telemetry.sample_ratio != default.sample_ratio),
        ("telemetry.filter", telemetry.filter != default.filter),
    ];
    let finding = |key| Finding::new(key, ["telemetry.otlp_endpoint"], "has no effect without a collector");
    set.into_iter().filter(|(_, set)| *set).map(|(key, _)| finding(key)).collect()
}
