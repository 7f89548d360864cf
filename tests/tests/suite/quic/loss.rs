use std::time::{Duration, Instant};

use polywire::{Code, ConnectOptions};
use polywire_proto::grpc::health::v1::{HealthCheckRequest, health_check_response::ServingStatus};
use polywire_services::health::HealthClient;
use polywire_tests::{
    inventory::{GetRequest, Stock},
    node::Node,
    patience::{eventually, within},
};
use rustix::process::Signal;

use super::{Server, client};

/// Soon enough, on a busy machine too: before the default idle and connect timeouts of 10 s have had a part in it.
const AT_ONCE: Duration = Duration::from_secs(9);

#[tokio::test]
async fn a_server_that_was_killed_is_noticed_within_the_idle_timeout() {
    let node = Node::start(&[
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.quic.idle_timeout=2s",
        "--transport.quic.keep_alive_interval=500ms",
    ])
    .await;
    let target: polywire::Target = node.target("quic").parse().unwrap();
    let client = HealthClient::new(target.connect(&ConnectOptions::new()).await.unwrap());
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap();
    let first = within(watch.message()).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    node.signal(Signal::KILL);
    let killed = Instant::now();
    let status = within(watch.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(!status.is_not_processed());
    assert!(killed.elapsed() < AT_ONCE, "{:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_dropped_is_gone_at_the_server_at_once() {
    let server = Server::start(Stock::new()).await;
    let client = client(&server.target, &ConnectOptions::new()).await;
    client.get(GetRequest::default()).await.unwrap();
    assert_eq!(server.connections(), 1);
    drop(client);
    let dropped = Instant::now();
    eventually("the connection is gone", async || (server.connections() == 0).then_some(())).await;
    assert!(dropped.elapsed() < AT_ONCE, "{:?}", dropped.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_nobody_listens_at_costs_the_connect_timeout_and_nothing_is_processed() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("quic://{}?key={}", free.local_addr().unwrap(), "0".repeat(64));
    let options = ConnectOptions::new().connect_timeout(Duration::from_millis(300));
    let begun = Instant::now();
    let status = client(&target, &options).await.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.is_not_processed());
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}
