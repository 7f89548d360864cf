//! Members that are killed, all of them or one leader after the other, and started again.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    time::{Duration, Instant},
};

use polywire::Code;
use polywire_tests::{
    node::{Node, binary},
    patience::eventually,
};
use tokio::process::Command;

use super::{
    cluster::{Cluster, cluster_command},
    load::put_anyhow,
};

/// How soon a cluster of which a majority is up must take writes.
const SOON: Duration = Duration::from_secs(3);

const IROH_ALONE: &str = "--transport.mode=iroh";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_were_all_killed_find_one_another_again_over_iroh() {
    all_are_killed(&[IROH_ALONE]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_were_all_killed_find_one_another_again_over_grpc() {
    all_are_killed(&["--transport.mode=grpc"]).await;
}

async fn all_are_killed(flags: &[&str]) {
    let mut cluster = Cluster::start(flags).await;
    put_anyhow(&cluster.ways, "before", "1").await;
    let before: Vec<_> = (0..3).map(|place| cluster.target(place).to_owned()).collect();
    for place in 0..3 {
        cluster.kill(place).await;
    }
    for (place, target) in before.iter().enumerate() {
        cluster.restart(place).await;
        assert_eq!(cluster.target(place), target, "the port is kept");
    }
    put_anyhow(&cluster.ways, "after", "1").await;
    for place in 0..3 {
        cluster.caught_up(place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_members_that_were_all_killed_those_are_found_whose_port_was_taken_over_iroh() {
    ports_are_taken(&[IROH_ALONE]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_members_that_were_all_killed_those_are_found_whose_port_was_taken_over_grpc() {
    ports_are_taken(&["--transport.mode=grpc"]).await;
}

/// Two of the three are somewhere else. Each of them hears from the third where the other is, before there is a leader who
/// could tell.
async fn ports_are_taken(flags: &[&str]) {
    let mut cluster = Cluster::start(flags).await;
    put_anyhow(&cluster.ways, "before", "1").await;
    let before: Vec<_> = (0..3).map(|place| port_of(cluster.node(place))).collect();
    for place in 0..3 {
        cluster.kill(place).await;
    }
    let _taken: Vec<_> = before[1..].iter().map(take).collect();
    for place in 0..3 {
        cluster.restart(place).await;
    }
    let now: Vec<_> = (0..3).map(|place| port_of(cluster.node(place))).collect();
    assert!(now[0] == before[0] && now[1] != before[1] && now[2] != before[2], "{before:?} {now:?}");
    put_anyhow(&cluster.ways, "after", "1").await;
    for place in 0..3 {
        cluster.caught_up(place).await;
    }
    let log = cluster.kill(1).await.stderr;
    assert!(log.contains("the port of the last run cannot be had, and another is taken"), "{log}");
}

/// Where it is called.
fn port_of(node: &Node) -> (SocketAddr, bool) {
    match node.targets.grpc.as_deref().and_then(|target| target.strip_prefix("grpc://")) {
        Some(address) => (address.parse().unwrap(), false),
        None => (node.iroh().rsplit_once("addr=").unwrap().1.parse().unwrap(), true),
    }
}

/// Takes the port that a node had.
fn take((address, is_udp): &(SocketAddr, bool)) -> Box<dyn std::any::Any + Send> {
    match is_udp {
        true => Box::new(UdpSocket::bind(address).unwrap()),
        false => Box::new(TcpListener::bind(address).unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_back_soon_after_two_leaders_in_turn_were_killed_over_grpc() {
    leaders_are_killed("always_grpc", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_back_soon_after_two_leaders_in_turn_were_killed_over_iroh() {
    leaders_are_killed("always_iroh", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_back_soon_after_two_leaders_in_turn_were_killed_and_one_is_somewhere_else_over_iroh() {
    leaders_are_killed("always_iroh", true).await;
}

/// The first leader is started again. It and the third member are a majority when the second one is gone, though
/// their connections with the processes before were never closed.
async fn leaders_are_killed(raft_transport: &str, moves: bool) {
    let rule = format!("--transport.strategy.raft_transport={raft_transport}");
    let mut cluster = Cluster::start(&[&rule]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let first = cluster.leader().await;
    let udp: SocketAddr = cluster.node(first).iroh().rsplit_once("addr=").unwrap().1.parse().unwrap();
    cluster.kill(first).await;
    let killed = Instant::now();
    put_anyhow(&cluster.ways, "b", "1").await;
    let took = killed.elapsed();
    assert!(took < SOON, "the first write after one leader was killed took {took:?}");
    let _taken = moves.then(|| UdpSocket::bind(udp).unwrap());
    cluster.restart(first).await;
    // By then it has long caught up, or is not reached.
    let _ = tokio::time::timeout(SOON, cluster.caught_up(first)).await;

    let second = cluster.leader_of(&[(first + 1) % 3, (first + 2) % 3]).await;
    cluster.kill(second).await;
    let killed = Instant::now();
    put_anyhow(&cluster.ways, "c", "1").await;
    let took = killed.elapsed();
    assert!(took < SOON, "the first write after two leaders were killed took {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_restarted_is_called_again_within_a_second() {
    for raft_transport in ["always_grpc", "always_iroh"] {
        let rule = format!("--transport.strategy.raft_transport={raft_transport}");
        let mut cluster = Cluster::start(&[&rule]).await;
        put_anyhow(&cluster.ways, "a", "1").await;
        let follower = (cluster.leader().await + 1) % 3;
        cluster.kill(follower).await;
        cluster.restart(follower).await;
        let started = Instant::now();
        put_anyhow(&cluster.ways, "b", "1").await;
        let goal = cluster.status((follower + 1) % 3).await.unwrap().last_log_index;
        eventually("it has what was written since", async || {
            (cluster.status(follower).await?.applied_index >= goal).then_some(())
        })
        .await;
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{raft_transport}: it took {took:?}");
    }
}

/// The address is right, whatever this node had to do with the other before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_joins_at_the_first_try_at_the_address_that_it_is_told() {
    let data = tempfile::tempdir().unwrap();
    let data = format!("--node.data_dir={}", data.path().display());
    let flags = [IROH_ALONE, "--http.bind_address=127.0.0.1:0", &*data];
    let seed = Node::start_with(Command::new(binary()), flags).await;
    let joining = Node::start(&[IROH_ALONE]).await;
    let joined = cluster_command(&["join", seed.iroh(), "--node", joining.iroh()]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    let port = port_of(&seed);
    seed.kill().await;
    let _taken = take(&port);
    let seed = Node::start_with(Command::new(binary()), flags).await;
    assert_ne!(port_of(&seed), port);
    let joined = cluster_command(&["join", seed.iroh(), "--node", joining.iroh()]).await;
    // It asked the node there, and learnt that it is of its own cluster.
    let already = 64 + i32::from(Code::AlreadyExists.number());
    assert!(
        joined.code == already && joined.stderr.contains("already"),
        "{}: {}",
        joined.code,
        joined.stderr
    );
}
