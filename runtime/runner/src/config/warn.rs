//! Warnings about settings without effect.

use super::{Config, Grpc, RaftTransport, Telemetry, Transport, access, finding::Finding};

const MODE: &str = "transport.mode";
const RAFT: &str = "transport.strategy.raft_transport";
const PREFER: &str = "transport.strategy.prefer_iroh_for";

/// The settings without effect in a node or, with the transports of its targets, in a gateway.
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
    found.extend(access::unproved(config));
    found
}

/// The transport that Raft uses instead of the configured one.
fn raft(transport: &Transport) -> Option<Finding> {
    use RaftTransport::{Adaptive, AlwaysGrpc, AlwaysIroh};
    let message = match (transport.strategy.raft_transport, transport.serves_grpc(), transport.serves_iroh())
    {
        (_, true, true) | (AlwaysGrpc, true, false) | (AlwaysIroh, false, true) => return None,
        (_, false, false) => {
            "has no effect while gRPC and Iroh are off: Raft supports no other transport, and the node stays alone"
        }
        (AlwaysGrpc | Adaptive { .. }, false, true) => "has no effect while gRPC is off: Raft uses Iroh",
        (AlwaysIroh | Adaptive { .. }, true, false) => "has no effect while Iroh is off: Raft uses gRPC",
    };
    let off = if transport.serves_grpc() { transport.without_iroh() } else { MODE };
    Some(Finding::new(RAFT, [off], message))
}

fn preferred_without_iroh(transport: &Transport) -> Option<Finding> {
    let wrong = !transport.serves_iroh() && !transport.strategy.prefer_iroh_for.is_empty();
    wrong.then(|| Finding::new(PREFER, [transport.without_iroh()], "has no effect while Iroh is off"))
}

/// A gateway chooses among its targets.
fn nothing_to_prefer(transport: &Transport, over: &[&str]) -> Option<Finding> {
    let message = match over {
        _ if transport.strategy.prefer_iroh_for.is_empty() => return None,
        [_] => "has no effect: the gateway has one target only",
        over if !over.contains(&"iroh") => "has no effect: no target uses Iroh",
        _ => return None,
    };
    Some(Finding::new(PREFER, [], message))
}

fn retired_without_iroh(transport: &Transport) -> Option<Finding> {
    let wrong = !transport.serves_iroh() && !transport.strategy.retired_on_grpc.is_empty();
    wrong.then(|| {
        let message = "no transport serves these services while Iroh is off";
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
