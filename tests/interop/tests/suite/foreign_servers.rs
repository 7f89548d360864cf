//! Our client against servers in other languages.

use polywire_tests::foreign::{self, SCRIPTS};
use tokio::{process::Command, task::spawn_blocking};

use crate::processes::Server;

/// The case that a plain tonic server does not know: its handlers cannot choose for each answer of a stream whether
/// it is compressed.
pub(crate) const ONE_COMPRESSION_A_CALL: &str = "server_compressed_streaming";

#[tokio::test]
async fn our_client_passes_at_pythons_server() {
    let mut command = Command::new(spawn_blocking(foreign::python).await.unwrap());
    command.arg("interop_server.py").current_dir(format!("{SCRIPTS}/python"));
    let server = Server::start(command, None).await;
    // Its handlers do not learn whether a request came compressed.
    server
        .assert_our_client_passes("grpc", &["client_compressed_unary", "client_compressed_streaming"])
        .await;
}

#[tokio::test]
async fn our_client_passes_at_a_plain_tonic_server() {
    let except = [ONE_COMPRESSION_A_CALL];
    Server::plain_tonic().await.assert_our_client_passes("grpc", &except).await;
}

#[tokio::test]
async fn our_client_passes_at_gos_own_server() {
    let Some(directory) = spawn_blocking(foreign::go).await.unwrap() else {
        return;
    };
    let server = Server::start(Command::new(directory.join("server")), None).await;
    let unknown_to_it = [
        "cacheable_unary",
        "client_compressed_unary",
        "server_compressed_unary",
        "client_compressed_streaming",
        "server_compressed_streaming",
    ];
    server.assert_our_client_passes("grpc", &unknown_to_it).await;
}
