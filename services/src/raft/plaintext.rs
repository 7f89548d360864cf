use polywire::config::Transport;

/// Says what proofs over plaintext do not protect against.
pub(super) fn warn(transport: &Transport) {
    let rule = transport.raft_transport().policy();
    let is_plain = rule.prefer.iter().any(|name| name == "grpc") && !transport.grpc.tls_enabled;
    if is_plain && transport.is_reached_from_elsewhere() {
        tracing::warn!(
            "Raft goes over plaintext gRPC: its members sign each message and answer, so that no other node can forge or \
             repeat one; but nothing is encrypted. What is replicated can be read on the network, and messages can be held \
             back there. transport.grpc.tls_enabled or transport.strategy.raft_transport = \"always_iroh\" protects from that"
        );
    }
}
