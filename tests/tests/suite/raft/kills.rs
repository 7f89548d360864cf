//! A load of writes and reads while the leader and then a follower are killed and come back.

use std::time::{Duration, Instant};

use super::{
    cluster::Cluster,
    load::{Load, put_anyhow},
};
use crate::metrics::samples;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_raft_over_grpc() {
    let carried = survive("always_grpc").await;
    assert!(carried.grpc > 0.0 && carried.iroh == 0.0, "{carried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_raft_over_iroh() {
    let carried = survive("always_iroh").await;
    assert!(carried.grpc == 0.0 && carried.iroh > 0.0, "{carried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_are_killed_with_adaptive_raft() {
    let carried = survive("{ adaptive = { latency_threshold_ms = 20.0 } }").await;
    // How many of each depends on how fast the machine is; Iroh is what it begins with.
    assert!(carried.iroh > 0.0, "{carried:?}");
}

/// How soon the cluster must answer after a node was killed.
const SOON: Duration = Duration::from_secs(3);

/// Says over which transport consensus went.
async fn survive(raft_transport: &str) -> Carried {
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
    let carried = carried(&cluster).await;
    load.stop().await.check(&cluster).await;
    carried
}

/// How many calls of Raft's the members have answered over each transport.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    pub(super) grpc: f64,
    pub(super) iroh: f64,
}

pub(super) async fn carried(cluster: &Cluster) -> Carried {
    let mut carried = Carried::default();
    for place in 0..3 {
        let metrics = samples(&cluster.node(place).get("/metrics").await.body);
        let calls = metrics.iter().filter(|(series, _)| {
            series.starts_with("polywire_server_calls_total{")
                && series.contains(r#"service="polywire.raft.v1.Raft""#)
                && series.contains(r#"code="OK""#)
        });
        for (series, count) in calls {
            match series {
                grpc if grpc.contains(r#"transport="grpc""#) => carried.grpc += count,
                iroh if iroh.contains(r#"transport="iroh""#) => carried.iroh += count,
                other => panic!("no transport of Raft's: {other}"),
            }
        }
    }
    carried
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Leader,
    Follower,
}
