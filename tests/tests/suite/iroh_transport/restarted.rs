//! A peer that was killed and is somewhere else, while the connection with the process before is still there.

use std::{net::UdpSocket, time::Duration};

use polywire::{Channel, ConnectOptions, Target, iroh::Dialer};
use polywire_services::health::HealthClient;
use polywire_tests::{endpoint, node::Node, node::binary};
use tokio::{process::Command, time::Instant};

use crate::node::ask;

/// A dial that looks for the peer at the old address gives up after five.
const SOON: Duration = Duration::from_secs(2);

async fn start(data: &std::path::Path) -> Node {
    let data = format!("--node.data_dir={}", data.display());
    let flags = ["--transport.mode=iroh", "--http.bind_address=127.0.0.1:0", &data];
    Node::start_with(Command::new(binary()), flags).await
}

async fn channel(node: &Node, options: &ConnectOptions) -> Channel {
    node.iroh().parse::<Target>().unwrap().connect(options).await.unwrap()
}

#[tokio::test]
async fn a_peer_that_was_killed_is_called_at_the_address_that_is_given() {
    let data = tempfile::tempdir().unwrap();
    let options = ConnectOptions::new().with(Dialer::new(endpoint::plain().await));
    let first = start(data.path()).await;
    let before = first.iroh().to_owned();
    let old = channel(&first, &options).await;
    HealthClient::new(old.clone()).check(ask("")).await.unwrap();
    let address = before.rsplit_once("addr=").unwrap().1.to_owned();
    first.kill().await;

    let _taken = UdpSocket::bind(address).unwrap();
    let second = start(data.path()).await;
    assert_ne!(second.iroh(), before);
    let begun = Instant::now();
    let answer = HealthClient::new(channel(&second, &options).await).check(ask("")).await;
    assert!(answer.is_ok() && begun.elapsed() < SOON, "{answer:?} after {:?}", begun.elapsed());
    drop(old);
}

#[tokio::test]
async fn a_dead_connection_that_another_holds_keeps_no_dial_from_the_address_that_is_given() {
    let data = tempfile::tempdir().unwrap();
    let dialer = Dialer::new(endpoint::plain().await);
    let first = start(data.path()).await;
    // Of another pool, so that it keeps the old connection.
    let other = dialer.clone().connect_timeout(Duration::from_secs(4));
    let keeping = channel(&first, &ConnectOptions::new().with(other)).await;
    let options = ConnectOptions::new().with(dialer);
    let old = channel(&first, &options).await;
    for channel in [&keeping, &old] {
        HealthClient::new(channel.clone()).check(ask("")).await.unwrap();
    }
    drop(old);
    let port = first.iroh().rsplit_once("addr=").unwrap().1.to_owned();
    first.kill().await;
    let _taken = UdpSocket::bind(port).unwrap();
    let second = start(data.path()).await;
    let begun = Instant::now();
    let answer = HealthClient::new(channel(&second, &options).await).check(ask("")).await;
    assert!(answer.is_ok() && begun.elapsed() < SOON, "{answer:?} after {:?}", begun.elapsed());
}
