use std::{
    fs,
    time::{Duration, Instant},
};

use polywire_tests::{
    node::{FREE_PORTS, Node, binary},
    patience::eventually,
};
use tokio::{net::TcpStream, process::Command, task::JoinSet};

use super::process::{computed, descriptors};
use crate::node::health;

/// How many descriptors the node may have.
const LIMIT: usize = 256;

/// How long it is watched while clients want more than there are.
const WATCH: Duration = Duration::from_secs(2);

/// A node under this limit, which allows clients long handshakes and looks at its disk all the time.
async fn node(ulimit: &str, flags: &[&str]) -> Node {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{ulimit} && exec \"$0\" \"$@\"")]).arg(binary());
    let own = [
        FREE_PORTS[0],
        FREE_PORTS[1],
        "--transport.grpc.handshake_timeout=60s",
        "--health.check_interval=50ms",
    ];
    Node::start_with(command, own.iter().chain(flags).copied()).await
}

/// So many clients that connect and say nothing, until this is dropped. Those beyond the kernel's backlog wait for a long
/// time to be connected, and are not waited for.
fn crowd(address: &str, count: usize) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for _ in 0..count {
        let address = address.to_owned();
        crowd.spawn(async move {
            let _connected = TcpStream::connect(address).await;
            std::future::pending().await
        });
    }
    crowd
}

/// Waits until the node takes no more connections.
async fn full(node: &Node) {
    let mut last = (0, Instant::now());
    eventually("no more is taken", async || {
        let now = descriptors(node.pid());
        if now > last.0 {
            last = (now, Instant::now());
        }
        (now > LIMIT / 2 && last.1.elapsed() > Duration::from_millis(300)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_wants_all_descriptors_leaves_those_for_probes_and_the_disk_and_the_node_rests() {
    let node = node(&format!("ulimit -n {LIMIT}"), &[]).await;
    let crowd = crowd(node.grpc_address(), 2 * LIMIT);
    full(&node).await;
    assert!(descriptors(node.pid()) < LIMIT - 8, "{} are open", descriptors(node.pid()));
    let (begun, before) = (Instant::now(), computed(node.pid()));
    let mut probes = 0;
    // Not a wait for something: the time over which probes are made and the load is measured.
    while begun.elapsed() < WATCH {
        for path in ["/livez", "/readyz"] {
            let page = node.try_get(path, "*/*").await.expect("the HTTP side answers");
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            probes += 1;
        }
        tokio::time::sleep(WATCH / 20).await;
    }
    assert!(probes > 0);
    let load = (computed(node.pid()) - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(load <= 0.5, "{:.0} % of a core, with a look at the disk 20 times a second", load * 100.0);
    drop(crowd);
    eventually("it serves again", async || health(node.grpc(), "").await.ok()).await;
    assert_eq!(node.get("/readyz").await.status, 200);
    assert_eq!(node.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_on_every_listener_that_takes_descriptors_leaves_a_reserve() {
    let flags = ["--transport.websocket.enabled=true", "--transport.websocket.bind_address=127.0.0.1:0"];
    let node = node(&format!("ulimit -n {LIMIT}"), &flags).await;
    let websocket = node.target("websocket").trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let _one = crowd(&websocket, LIMIT);
    let _other = crowd(node.grpc_address(), LIMIT);
    full(&node).await;
    for path in ["/livez", "/readyz"] {
        let page = node.try_get(path, "*/*").await.expect("the HTTP side answers");
        assert_eq!(page.status, 200, "{path}: {}", page.body);
    }
    assert_eq!(node.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let node = node("ulimit -S -n 64 && ulimit -H -n 512", &[]).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers = Vec::from_iter(line.split_whitespace().filter(|word| word.parse::<u64>().is_ok()));
    assert_eq!(numbers, ["512", "512"], "{line}");
    let crowd = crowd(node.grpc_address(), 128);
    eventually("all are taken", async || (descriptors(node.pid()) > 128).then_some(())).await;
    drop(crowd);
}
