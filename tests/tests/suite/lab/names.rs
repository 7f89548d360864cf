//! Names with several addresses, of which some are silent.

use std::time::{Duration, Instant};

use polywire_tests::{
    lab::Lab,
    node::{Node, binary, run_command},
    pki::Pki,
};

/// A name of two addresses.
const NAME: &str = "two.test";

/// An address on the far side that no machine has: what is sent to it is answered by nothing. It is as near to the
/// caller as the other, so that it stays in its place when addresses are sorted (RFC 6724, rule 9).
const SILENT: &str = "10.77.1.3";

/// How long a call may take whose first attempt meets silence: 250 ms until the next, and a process that starts on a
/// busy machine.
const SOON: Duration = Duration::from_secs(2);

/// Calls a node that serves so over this transport, by its name.
async fn is_reached_by_name(transport: &str, flags: &[&str], call: &[&str]) {
    let Some(lab) = Lab::or_skip().await else { return };
    let address = lab.far().address().to_string();
    let bind = format!("--transport.{transport}.bind_address={address}:0");
    let enabled = format!("--transport.{transport}.enabled=true");
    let enabled = if transport == "grpc" { "--transport.mode=dual" } else { &enabled };
    let flags = Vec::from_iter([enabled, &*bind].into_iter().chain(flags.iter().copied()));
    let node = Node::start_in(lab.far(), &flags).await;
    let target = if transport == "grpc" { node.grpc() } else { node.target(transport) };
    let target = target.replace(&address, NAME);
    lab.near().set_hosts(&format!("{SILENT} {NAME}\n{address} {NAME}\n"));
    let mut command = lab.near().command(binary());
    command.arg("call").args(call).args([&*target, "grpc.health.v1.Health/Check"]);
    let begun = Instant::now();
    let finished = run_command(command, "").await;
    let took = begun.elapsed();
    assert_eq!((finished.code, &*finished.stdout), (0, "{\"status\":\"SERVING\"}\n"), "{}", finished.stderr);
    assert!(
        took >= Duration::from_millis(250),
        "{target}: {took:?}, so the silent address was not tried first"
    );
    assert!(took < SOON, "{target}: {took:?}");
}

#[tokio::test]
async fn over_grpc_a_silent_address_costs_a_quarter_of_a_second() {
    is_reached_by_name("grpc", &[], &[]).await;
}

#[tokio::test]
async fn over_grpc_under_tls_a_silent_address_costs_a_quarter_of_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::of(directory.path(), &[NAME]);
    let certificate = format!("--transport.grpc.tls_cert={}", pki.certificate.display());
    let key = format!("--transport.grpc.tls_key={}", pki.key.display());
    let flags = ["--transport.grpc.tls_enabled=true", &certificate, &key];
    is_reached_by_name("grpc", &flags, &["--ca", pki.authority.to_str().unwrap()]).await;
}

#[tokio::test]
async fn over_websockets_a_silent_address_costs_a_quarter_of_a_second() {
    is_reached_by_name("websocket", &[], &[]).await;
}

#[tokio::test]
async fn over_websockets_under_tls_a_silent_address_costs_a_quarter_of_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::of(directory.path(), &[NAME]);
    let certificate = format!("--transport.websocket.tls_cert={}", pki.certificate.display());
    let key = format!("--transport.websocket.tls_key={}", pki.key.display());
    is_reached_by_name("websocket", &[&certificate, &key], &["--ca", pki.authority.to_str().unwrap()]).await;
}

#[tokio::test]
async fn over_quic_a_silent_address_costs_a_quarter_of_a_second() {
    is_reached_by_name("quic", &[], &[]).await;
}
