//! Clients in other languages against our server.

use std::path::Path;

use polywire_tests::foreign::{self, SCRIPTS};
use tokio::{process::Command, task::spawn_blocking};

use crate::processes::{Server, assert_succeeds};

/// Where a server is, and the authority that its clients must trust, if any.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) address: &'a str,
    pub(crate) authority: Option<&'a Path>,
}

impl<'a> From<&'a Server> for Place<'a> {
    fn from(server: &'a Server) -> Self {
        Self { address: server.address(), authority: server.authority() }
    }
}

/// Lets the command know where the server is.
fn introduce(command: &mut Command, server: Place<'_>) {
    command.env("POLYWIRE_INTEROP_ADDRESS", server.address);
    if let Some(authority) = server.authority {
        command.env("POLYWIRE_INTEROP_CA", authority);
    }
}

pub(crate) async fn assert_python_passes(server: impl Into<Place<'_>>) {
    let server = server.into();
    let mut command = Command::new(spawn_blocking(foreign::python).await.unwrap());
    command.args(["interop_client.py", "-v"]).current_dir(format!("{SCRIPTS}/python"));
    introduce(&mut command, server);
    let said = assert_succeeds(command).await;
    assert!(said.contains("\nOK"), "{said}");
}

pub(crate) async fn assert_node_passes(server: impl Into<Place<'_>>) {
    let server = server.into();
    let modules = spawn_blocking(foreign::node_modules).await.unwrap();
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=tap", "interop_client.js"])
        .current_dir(format!("{SCRIPTS}/node"));
    command.env("NODE_PATH", modules);
    introduce(&mut command, server);
    let said = assert_succeeds(command).await;
    assert!(said.contains("# fail 0") && !said.contains("# pass 0"), "{said}");
}

/// The cases that grpc-go's client has, of those that are for servers without accounts of a cloud.
const GO: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

pub(crate) async fn assert_go_passes(server: impl Into<Place<'_>>) {
    let server = server.into();
    let Some(directory) = spawn_blocking(foreign::go).await.unwrap() else {
        return;
    };
    let (_, port) = server.address.rsplit_once(':').unwrap();
    for case in GO {
        let mut command = Command::new(directory.join("client"));
        command.args(["--server_host=127.0.0.1", &format!("--server_port={port}")]);
        command.arg(format!("--test_case={case}"));
        if let Some(authority) = server.authority {
            command.args(["--use_tls", "--use_test_ca", "--server_host_override=localhost"]);
            command.arg(format!("--ca_file={}", authority.display()));
        }
        assert_succeeds(command).await;
    }
}

#[tokio::test]
async fn pythons_client_passes_in_plaintext() {
    assert_python_passes(&Server::ours(&[]).await).await;
}

#[tokio::test]
async fn pythons_client_passes_under_tls() {
    assert_python_passes(&Server::ours_under_tls().await).await;
}

#[tokio::test]
async fn nodes_client_passes_in_plaintext() {
    assert_node_passes(&Server::ours(&[]).await).await;
}

#[tokio::test]
async fn nodes_client_passes_under_tls() {
    assert_node_passes(&Server::ours_under_tls().await).await;
}

#[tokio::test]
async fn gos_own_client_passes_in_plaintext() {
    assert_go_passes(&Server::ours(&[]).await).await;
}

#[tokio::test]
async fn gos_own_client_passes_under_tls() {
    assert_go_passes(&Server::ours_under_tls().await).await;
}
