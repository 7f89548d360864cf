//! What the log tells of calls and of peers that are refused.

use std::path::Path;

use polywire::{Channel, ConnectOptions, Target};
use polywire_services::health::HealthClient;
use polywire_tests::{node::Node, patience::within, pki::Pki};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};

use super::{ask, connect, health};

type Line = serde_json::Value;

/// The lines of a node's log, which is JSON, that say this.
fn lines(log: &str, message: &str) -> Vec<Line> {
    let lines = log.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    lines.filter(|line| line["message"] == message).collect()
}

fn of<'a>(lines: &'a [Line], transport: &str, method: &str) -> Vec<&'a Line> {
    let method = format!("grpc.health.v1.Health/{method}");
    lines.iter().filter(|line| line["transport"] == transport && line["method"] == *method).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_each_call_is_an_event_with_how_it_went_on_every_transport() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("--transport.unix.path={}", directory.path().join("s").display());
    let node = Node::start(&[
        "--log.format=json",
        "--log.filter=polywire::rpc=debug",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        &socket,
    ])
    .await;
    let transports = ["grpc", "iroh", "quic", "websocket", "unix"];
    for transport in transports {
        let target = match transport {
            "grpc" => node.grpc(),
            "iroh" => node.iroh(),
            other => node.target(other),
        };
        health(target, "").await.unwrap();
        health(target, "nothing").await.unwrap_err();
        let client = HealthClient::new(connect(target).await);
        let mut watch = client.watch(ask("")).timeout(std::time::Duration::from_millis(100)).await.unwrap();
        while within(watch.message()).await.is_ok() {}
    }
    let log = node.terminate().await.stderr;
    let ended = lines(&log, "call ended");
    for transport in transports {
        let checks = of(&ended, transport, "Check");
        assert_eq!(checks.len(), 2, "{transport}: {log}");
        assert!(checks[0]["code"] == "OK" && checks[1]["code"] == "NOT_FOUND", "{checks:?}");
        assert!(
            checks[1]["reason"].as_str().is_some_and(|reason| reason.contains("nothing")),
            "{}",
            checks[1]
        );
        let watches = of(&ended, transport, "Watch");
        assert_eq!(watches.len(), 1, "{transport}: {log}");
        assert!(
            watches[0]["code"] == "DEADLINE_EXCEEDED" || watches[0]["code"] == "CANCELLED",
            "{}",
            watches[0]
        );
        for line in checks.into_iter().chain(watches) {
            assert!(line["side"] == "server" && line["target"] == "polywire::rpc", "{line}");
            assert!(line["duration_ms"].is_number() && line["peer"].is_string(), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_tells_of_both_ends_of_a_call_and_a_quiet_log_of_none() {
    let node = Node::start(&["--log.format=json"]).await;
    let arguments =
        ["--listen", "grpc://127.0.0.1:0", node.iroh(), "--log-format=json", "--log.filter=debug"];
    let gateway = Node::gateway(arguments).await;
    health(gateway.grpc(), "nothing").await.unwrap_err();
    let log = gateway.terminate().await.stderr;
    let ended = lines(&log, "call ended");
    let failed = Vec::from_iter(ended.iter().filter(|line| line["code"] == "NOT_FOUND"));
    let sides = Vec::from_iter(failed.iter().map(|line| (line["side"].as_str(), line["transport"].as_str())));
    assert_eq!(sides, [(Some("client"), Some("iroh")), (Some("server"), Some("grpc"))], "{log}");
    assert!(lines(&node.terminate().await.stderr, "call ended").is_empty());
}

async fn distrusting(target: &str, ca: &Path) -> Channel {
    let target: Target = target.replace("127.0.0.1", "localhost").parse().unwrap();
    target.connect(&ConnectOptions::default().ca_file(ca)).await.unwrap()
}

/// The reasons that a node has said for refusing peers of this transport.
fn reasons(log: &str, transport: &str) -> Vec<String> {
    let refused = lines(log, "a handshake was refused");
    let own = refused.iter().filter(|line| line["transport"] == transport && line["level"] == "INFO");
    own.map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_handshake_is_told_with_its_reason_and_a_crowd_of_them_in_a_few_lines() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let other = tempfile::tempdir().unwrap();
    let other = Pki::new(other.path());
    let socket = directory.path().join("s");
    let mut flags = vec![
        "--log.format=json".to_owned(),
        "--transport.unix.enabled=true".to_owned(),
        format!("--transport.unix.path={}", socket.display()),
        "--transport.grpc.tls_enabled=true".to_owned(),
        "--transport.quic.enabled=true".to_owned(),
        "--transport.websocket.enabled=true".to_owned(),
    ];
    for transport in ["grpc", "quic", "websocket"] {
        flags.push(format!("--transport.{transport}.bind_address=127.0.0.1:0"));
        flags.push(format!("--transport.{transport}.tls_cert={}", pki.certificate.display()));
        flags.push(format!("--transport.{transport}.tls_key={}", pki.key.display()));
    }
    let node = Node::start(&Vec::from_iter(flags.iter().map(String::as_str))).await;
    for target in [node.grpc(), node.target("quic"), node.target("websocket")] {
        let client = HealthClient::new(distrusting(target, &other.authority).await);
        client.check(ask("")).await.expect_err("another authority");
    }
    let mut stranger = UnixStream::connect(&socket).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let _ = within(stranger.read_to_end(&mut Vec::new())).await;
    // In plaintext to TLS, again and again.
    let address = node.grpc().trim_start_matches("grpcs://");
    for _ in 0..50 {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let _ = within(stranger.read_to_end(&mut Vec::new())).await;
    }
    let iroh = iroh_with_another_alpn(node.iroh()).await;
    iroh.expect_err("another protocol");
    let log = node.terminate().await.stderr;
    for transport in ["grpc", "quic", "websocket", "unix", "iroh"] {
        let told = reasons(&log, transport);
        assert!(!told.is_empty() && told.iter().all(|reason| !reason.is_empty()), "{transport}: {log}");
        assert!(told.len() <= 5, "{transport}: {told:?}");
    }
    for transport in ["grpc", "quic", "websocket"] {
        let told = reasons(&log, transport);
        assert!(told[0].contains("127.0.0.1:") || told[0].contains("[::1]:"), "{told:?}");
        let tls = ["alert", "certificate", "cryptographic"];
        assert!(tls.iter().any(|word| told[0].contains(word)), "{told:?}");
    }
}

/// Dials the node of this target by a protocol that it does not know.
async fn iroh_with_another_alpn(target: &str) -> Result<(), String> {
    let (id, query) = target.strip_prefix("iroh://").unwrap().split_once('?').unwrap();
    let address = query.split('&').find_map(|part| part.strip_prefix("addr=")).unwrap();
    let address = iroh::EndpointAddr::from_parts(
        id.parse().unwrap(),
        [iroh::TransportAddr::Ip(address.parse().unwrap())],
    );
    let endpoint = polywire_tests::endpoint::plain().await;
    let dialled = within(endpoint.connect(address, b"pigeon/1")).await;
    dialled.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_probe_that_only_connects_is_no_line() {
    let node = Node::start(&["--log.format=json"]).await;
    for _ in 0..3 {
        drop(TcpStream::connect(node.grpc_address()).await.unwrap());
    }
    health(node.grpc(), "").await.unwrap();
    let log = node.terminate().await.stderr;
    assert!(lines(&log, "a handshake was refused").is_empty(), "{log}");
}
