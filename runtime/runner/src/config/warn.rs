//! What a configuration says without effect.

use super::{Config, Grpc, RaftTransport, Telemetry, Transport, finding::Finding};

const MODE: &str = "transport.mode";
const RAFT: &str = "transport.strategy.raft_transport";
const PREFER: &str = "transport.strategy.prefer_iroh_for";

/// What can be used, but does less than it says; in a gateway, which passes calls on over these transports, or in a node.
pub(super) fn warnings(config: &Config, gateway: Option<&[&str]>) -> Vec<Finding> {
    let transport = &config.transport;
    let mut found = Vec::new();
    match gateway {
        None => {
            found.extend(raft(transport));
            found.extend(preferred_without_iroh(transport));
        }
        Some(over) => {
            found.push(Finding::new(RAFT, [], "has no effect: a gateway has no Raft"));
            found.extend(nothing_to_prefer(transport, over));
        }
    }
    found.extend(retired_without_iroh(transport));
    found.extend(without_tls(&transport.grpc));
    found.extend(without_collector(&config.telemetry));
    found
}

/// What Raft does instead of what it was told.
fn raft(transport: &Transport) -> Option<Finding> {
    use RaftTransport::{Adaptive, AlwaysGrpc, AlwaysIroh};
    let message = match (transport.strategy.raft_transport, transport.serves_grpc(), transport.serves_iroh())
    {
        (_, true, true) | (AlwaysGrpc, true, false) | (AlwaysIroh, false, true) => return None,
        (_, false, false) => {
            "has no effect while gRPC and Iroh are off: Raft speaks no other, and the node stays alone"
        }
        (AlwaysGrpc, false, true) => "is not followed while gRPC is off: Raft goes over Iroh",
        (AlwaysIroh, true, false) => "is not followed while Iroh is off: Raft goes over gRPC",
        (Adaptive { .. }, false, true) => "has nothing to choose while gRPC is off: Raft goes over Iroh",
        (Adaptive { .. }, true, false) => "has nothing to choose while Iroh is off: Raft goes over gRPC",
    };
    let off = if transport.serves_grpc() { transport.without_iroh() } else { MODE };
    Some(Finding::new(RAFT, [off], message))
}

fn preferred_without_iroh(transport: &Transport) -> Option<Finding> {
    let wrong = !transport.serves_iroh() && !transport.strategy.prefer_iroh_for.is_empty();
    wrong.then(|| Finding::new(PREFER, [transport.without_iroh()], "has no effect while Iroh is off"))
}

/// A gateway chooses between the targets that it was given.
fn nothing_to_prefer(transport: &Transport, over: &[&str]) -> Option<Finding> {
    let message = match over {
        _ if transport.strategy.prefer_iroh_for.is_empty() => return None,
        [_] => "has no effect: there is one target, and so nothing to choose",
        over if !over.contains(&"iroh") => "has no effect: no target is Iroh's",
        _ => return None,
    };
    Some(Finding::new(PREFER, [], message))
}

fn retired_without_iroh(transport: &Transport) -> Option<Finding> {
    let wrong = !transport.serves_iroh() && !transport.strategy.retired_on_grpc.is_empty();
    wrong.then(|| {
        let message = "these services are not served at all while Iroh is off";
        Finding::new("transport.strategy.retired_on_grpc", [transport.without_iroh()], message)
    })
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
