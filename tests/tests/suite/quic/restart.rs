//! A node that is killed and started again at its address.

use std::time::{Duration, Instant};

use polywire_services::health::HealthClient;
use polywire_tests::node::Node;

use crate::node::{ask, connect};

/// Nothing else than a word of the new process ends the connection with the old one before its idle timeout of ten seconds.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_node_that_was_killed_and_started_again_answers_soon() {
    let flags = ["--transport.quic.enabled=true", "--transport.quic.bind_address=127.0.0.1:0"];
    let node = Node::start(&flags).await;
    let target = node.target("quic").to_owned();
    let client = HealthClient::new(connect(&target).await);
    client.check(ask("")).await.unwrap();
    let node = node.kill().await.start().await;
    assert_eq!(node.target("quic"), target);
    let begun = Instant::now();
    while client.check(ask("")).timeout(Duration::from_secs(1)).await.is_err() {
        assert!(begun.elapsed() < SOON, "no answer within {SOON:?}");
    }
}
