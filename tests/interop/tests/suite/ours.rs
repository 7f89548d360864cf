//! Our client against our server.

use polywire::{ConnectOptions, Node, Target, config::Loader};
use polywire_interop::{
    cases::{self, Peer},
    implementation::Implementation,
    service::TestServiceServer,
};
use polywire_tests::patience::within;
use tokio::process::Command;

use crate::processes::Server;

#[tokio::test]
async fn every_case_passes_over_grpc_in_plaintext() {
    Server::ours(&[]).await.assert_our_client_passes("grpc", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_grpc_under_tls() {
    let server = Server::ours_under_tls().await;
    assert!(server.target("grpc").starts_with("grpcs://"), "{}", server.target("grpc"));
    server.assert_our_client_passes("grpc", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_iroh() {
    Server::ours(&["--transport.mode=iroh"]).await.assert_our_client_passes("iroh", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = format!("--transport.unix.path={}", directory.path().join("socket").display());
    let server = Server::ours(&["--transport.unix.enabled=true", &path]).await;
    server.assert_our_client_passes("unix", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_plain_quic() {
    let flags = ["--transport.quic.enabled=true", "--transport.quic.bind_address=127.0.0.1:0"];
    Server::ours(&flags).await.assert_our_client_passes("quic", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_a_websocket() {
    let flags = ["--transport.websocket.enabled=true", "--transport.websocket.bind_address=127.0.0.1:0"];
    Server::ours(&flags).await.assert_our_client_passes("websocket", &[]).await;
}

#[tokio::test]
async fn every_case_passes_over_memory() {
    let data = tempfile::tempdir().unwrap();
    let config = Loader::new()
        .flag("node.data_dir", data.path().display().to_string())
        .flag("http.enabled", "false")
        .flag("transport.mode", "grpc")
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("transport.memory.enabled", "true")
        .flag("transport.memory.name", "interop")
        .load()
        .unwrap()
        .config;
    let node = Node::builder().service(TestServiceServer::new(Implementation)).config(config);
    let node = node.bind().await.unwrap();
    let target: Target = node.targets().get("memory").unwrap().parse().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(node.serve(async { drop(stopped.await) }));
    let peer = Peer::new(target.connect(&ConnectOptions::new()).await.unwrap());
    for case in cases::ALL {
        within(case.run(&peer)).await.unwrap_or_else(|failure| panic!("{}: {failure}", case.name()));
    }
    drop((peer, stop));
    within(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_case_says_what_was_expected_and_found_and_fails_the_client() {
    let server = Server::ours(&["--transport.mode=grpc", "--transport.grpc.max_message_size=1000"]).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_interop-client"));
    command.args(["--target", server.target("grpc"), "--test-case", "empty_unary,large_unary"]);
    let output = within(command.output()).await.unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!((output.status.code(), lines.len(), lines[0]), (Some(1), 2, "ok     empty_unary"));
    let expected = "FAILED large_unary: expected success, found RESOURCE_EXHAUSTED: ";
    assert!(lines[1].starts_with(expected), "{printed}");
}

#[tokio::test]
async fn a_case_that_is_none_is_bad_usage_that_names_those_that_are() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interop-client"));
    command.args(["--target", "grpc://127.0.0.1:1", "--test-case", "ping_pang"]);
    let output = within(command.output()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ping_pang") && said.contains("ping_pong"), "{said}");
}
