//! `polywire-node gateway`: real processes between clients and servers that have no transport in common.

mod callers;
mod calls;
mod echo;
mod foreign;
mod life;
mod loops;
mod usage;

use polywire_tests::node::Node;

/// A process that serves gRPC by calling this target.
pub(crate) async fn from_grpc(target: &str) -> Node {
    Node::gateway(["--listen", "grpc://127.0.0.1:0", target]).await
}

/// A process that serves Iroh by calling this target.
pub(crate) async fn from_iroh(target: &str) -> Node {
    Node::gateway(["--listen", "iroh", target]).await
}
