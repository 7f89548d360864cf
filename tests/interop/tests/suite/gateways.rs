//! Every case through `polywire-node gateway`, between clients and servers that have no transport in common.

use polywire_tests::{
    foreign::{self, SCRIPTS},
    node::Node,
};
use tokio::{process::Command, task::spawn_blocking};

use crate::{
    foreign_clients::{Place, assert_go_passes, assert_node_passes, assert_python_passes},
    foreign_servers::ONE_COMPRESSION_A_CALL,
    processes::{Server, assert_all_pass},
};

fn our_client() -> Command {
    Command::new(env!("CARGO_BIN_EXE_interop-client"))
}

/// A gateway that serves gRPC by calling this target.
async fn from_grpc(target: &str) -> Node {
    Node::gateway(["--listen", "grpc://127.0.0.1:0", target]).await
}

/// A gateway that serves Iroh by calling this target.
async fn from_iroh(target: &str) -> Node {
    Node::gateway(["--listen", "iroh", target]).await
}

fn place(gateway: &Node) -> Place<'_> {
    Place { address: gateway.grpc_address(), authority: None }
}

/// Our server, on Iroh alone, and what serves gRPC before it.
async fn ours_behind_iroh() -> (Server, Node) {
    let server = Server::ours(&["--transport.mode=iroh"]).await;
    let gateway = from_grpc(server.target("iroh")).await;
    (server, gateway)
}

/// Python's server, whose handlers do not learn whether a request came compressed.
async fn pythons() -> (Server, &'static [&'static str]) {
    let mut command = Command::new(spawn_blocking(foreign::python).await.unwrap());
    command.arg("interop_server.py").current_dir(format!("{SCRIPTS}/python"));
    (Server::start(command, None).await, &["client_compressed_unary", "client_compressed_streaming"])
}

#[tokio::test]
async fn our_client_passes_by_grpc_at_a_server_that_only_speaks_iroh() {
    let (_server, gateway) = ours_behind_iroh().await;
    assert_all_pass(our_client(), gateway.grpc(), &[]).await;
}

#[tokio::test]
async fn pythons_client_passes_at_a_server_that_only_speaks_iroh() {
    let (_server, gateway) = ours_behind_iroh().await;
    assert_python_passes(place(&gateway)).await;
}

#[tokio::test]
async fn nodes_client_passes_at_a_server_that_only_speaks_iroh() {
    let (_server, gateway) = ours_behind_iroh().await;
    assert_node_passes(place(&gateway)).await;
}

#[tokio::test]
async fn gos_own_client_passes_at_a_server_that_only_speaks_iroh() {
    let (_server, gateway) = ours_behind_iroh().await;
    assert_go_passes(place(&gateway)).await;
}

#[tokio::test]
async fn our_client_passes_by_iroh_at_pythons_server() {
    let (server, except) = pythons().await;
    let gateway = from_iroh(server.target("grpc")).await;
    let mut client = our_client();
    client.args(["--codec", "protobuf"]);
    assert_all_pass(client, gateway.iroh(), except).await;
}

#[tokio::test]
async fn our_client_passes_by_grpc_at_pythons_server_beyond_iroh() {
    let (server, except) = pythons().await;
    let far = from_iroh(server.target("grpc")).await;
    let near = from_grpc(far.iroh()).await;
    assert_all_pass(our_client(), near.grpc(), except).await;
}

/// A server of tonic's with nothing of ours, the gateway that makes it reachable by Iroh, and the one that serves
/// gRPC before that.
async fn plain_tonic_beyond_iroh() -> (Server, [Node; 2]) {
    let server = Server::plain_tonic().await;
    let far = from_iroh(server.target("grpc")).await;
    let near = from_grpc(far.iroh()).await;
    (server, [near, far])
}

#[tokio::test]
async fn our_client_passes_at_a_plain_tonic_server_beyond_iroh() {
    let (_server, [near, _far]) = plain_tonic_beyond_iroh().await;
    assert_all_pass(our_client(), near.grpc(), &[ONE_COMPRESSION_A_CALL]).await;
}

#[tokio::test]
async fn pythons_client_passes_at_a_plain_tonic_server_beyond_iroh() {
    let (_server, [near, _far]) = plain_tonic_beyond_iroh().await;
    assert_python_passes(place(&near)).await;
}

#[tokio::test]
async fn nodes_client_passes_at_a_plain_tonic_server_beyond_iroh() {
    let (_server, [near, _far]) = plain_tonic_beyond_iroh().await;
    assert_node_passes(place(&near)).await;
}

#[tokio::test]
async fn gos_own_client_passes_at_a_plain_tonic_server_beyond_iroh() {
    let (_server, [near, _far]) = plain_tonic_beyond_iroh().await;
    assert_go_passes(place(&near)).await;
}
