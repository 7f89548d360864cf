//! Our client against servers in other languages.

use polywire_tests::foreign::{self, SCRIPTS};
use tokio::{process::Command, task::spawn_blocking};

use crate::processes::Server;

#[tokio::test]
async fn our_client_passes_at_pythons_server() {
    let mut command = Command::new(spawn_blocking(foreign::python).await.unwrap());
    command.arg("interop_server.py").current_dir(format!("{SCRIPTS}/python"));
    Server::start(command, None).await.assert_our_client_passes("grpc", &[]).await;
}

#[tokio::test]
async fn our_client_passes_at_gos_own_server() {
    let Some(directory) = spawn_blocking(foreign::go).await.unwrap() else {
        return;
    };
    let server = Server::start(Command::new(directory.join("server")), None).await;
    // It does not have that method.
    server.assert_our_client_passes("grpc", &["cacheable_unary"]).await;
}
