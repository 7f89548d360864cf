//! A load of writes and reads while the leader and then a follower are killed and come back.

use std::time::{Duration, Instant};

use super::{
    cluster::Cluster,
    load::{Load, put_anyhow},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_raft_over_grpc() {
    survive("always_grpc").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_raft_over_iroh() {
    survive("always_iroh").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_adaptive_raft() {
    survive("{ adaptive = { latency_threshold_ms = 20.0 } }").await;
}

/// How soon the cluster must answer after a node was killed.
const SOON: Duration = Duration::from_secs(3);

async fn survive(raft_transport: &str) {
    let rule = format!("--transport.strategy.raft_transport={raft_transport}");
    let mut cluster = Cluster::start(&[&rule]).await;
    let load = Load::start(&cluster.ways);
    load.progress().await;
    for which in [Which::Leader, Which::Follower] {
        let leader = cluster.leader().await;
        let place = match which {
            Which::Leader => leader,
            Which::Follower => (leader + 1) % 3,
        };
        cluster.kill(place).await;
        let killed = Instant::now();
        put_anyhow(&cluster.ways, "probe", &format!("{which:?}")).await;
        let took = killed.elapsed();
        assert!(took < SOON, "after the {which:?} was killed, the next write took {took:?}");
        load.progress().await;
        cluster.restart(place).await;
        cluster.caught_up(place).await;
        load.progress().await;
    }
    load.stop().await.check(&cluster).await;
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Leader,
    Follower,
}
