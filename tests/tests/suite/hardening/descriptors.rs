use std::time::{Duration, Instant};

use polywire_tests::{
    node::{FREE_PORTS, Node, binary},
    patience::eventually,
};
use tokio::{net::TcpStream, process::Command};

use super::process::{computed, descriptors};
use crate::node::health;

/// How many descriptors the node may have.
const LIMIT: usize = 64;

/// How long it is watched while it has none left.
const WATCH: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_out_of_descriptors_rests_and_recovers() {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"")]).arg(binary());
    // Long enough to hold the crowd, short enough to be rid of it.
    let handshake = "--transport.grpc.handshake_timeout=5s";
    let node = Node::start_with(command, [FREE_PORTS[0], FREE_PORTS[1], handshake]).await;
    let mut crowd = Vec::new();
    for _ in 0..2 * LIMIT {
        crowd.push(TcpStream::connect(node.grpc_address()).await.unwrap());
    }
    eventually("no descriptor is left", async || (descriptors(node.pid()) >= LIMIT - 1).then_some(())).await;
    let (begun, before) = (Instant::now(), computed(node.pid()));
    // Not a wait for something: the time over which the load is measured.
    tokio::time::sleep(WATCH).await;
    let load = (computed(node.pid()) - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(load <= 0.2, "{:.0} % of a core", load * 100.0);
    drop(crowd);
    eventually("it serves again", async || health(node.grpc(), "").await.ok()).await;
    assert_eq!(node.terminate().await.code, Some(0));
}
