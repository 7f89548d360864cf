//! What a node says of itself while no majority confirms the leader that it knows.

use std::time::Duration;

use futures_util::future::join_all;
use polywire::Code;
use polywire_proto::{
    cluster::v1::{StatusRequest, StatusResponse},
    grpc::health::v1::health_check_response::ServingStatus,
    health::v1::DetailRequest,
    kv::v1::PutRequest,
    monitoring::v1::GetClusterHealthRequest,
    status::v1::{GetClusterStatusRequest, GetRaftStatusRequest, MemberHealth, Role},
};
use polywire_services::{
    health_detail::HealthClient,
    monitoring::MonitoringClient,
    raft::{ClusterClient, KvClient},
    status::StatusClient,
};
use polywire_tests::{
    node::{Killed, Node},
    patience::eventually,
};

use super::cluster::cluster_command;
use crate::{
    metrics::{samples, value},
    node::{connect, health},
};

/// So many nodes that are one cluster, the first of them its leader. They come back at the ports that they had.
async fn members(count: usize) -> Vec<Node> {
    let mut nodes = vec![Node::start(&["--node.name=node-0"]).await];
    for place in 1..count {
        let node = Node::start(&[&format!("--node.name=node-{place}")]).await;
        let joined = cluster_command(&["join", nodes[0].grpc(), "--node", node.grpc()]).await;
        assert_eq!(joined.code, 0, "{}", joined.stderr);
        nodes.push(node);
    }
    let leader = eventually("all follow one leader", async || {
        let seen = join_all(nodes.iter().map(status)).await;
        let leader = seen[0].leader_id?;
        let place = seen.iter().position(|seen| seen.this.as_ref().unwrap().id == leader)?;
        seen.iter().all(|seen| seen.leader_id == Some(leader)).then_some(place)
    })
    .await;
    nodes.swap(0, leader);
    nodes
}

async fn kill_all(nodes: Vec<Node>) -> Vec<Killed> {
    join_all(nodes.into_iter().map(Node::kill)).await
}

async fn status(node: &Node) -> StatusResponse {
    ClusterClient::new(connect(node.grpc()).await).status(StatusRequest::default()).await.unwrap()
}

async fn gauge(node: &Node, name: &str) -> f64 {
    value(&samples(&node.get("/metrics").await.body), &format!("polywire_raft_{name}"), &[])
}

/// Asserts that every part of the node that speaks of its readiness says what a client meets.
async fn assert_not_ready(node: &Node, why: &str) {
    let ready = node.get("/readyz?verbose").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert!(ready.body.contains(&format!("raft: {why}")), "{}", ready.body);
    assert_eq!(node.get("/livez").await.status, 200, "a restart would not help");
    assert_eq!((gauge(node, "has_leader").await, gauge(node, "is_leader").await), (0.0, 0.0));
    let channel = connect(node.grpc()).await;
    let detail = HealthClient::new(channel.clone()).detail(DetailRequest {}).await.unwrap();
    let failing: Vec<_> = detail.components.iter().filter(|part| !part.ok).map(|part| &*part.name).collect();
    assert_eq!((detail.serving, &failing[..]), (false, &["peers", "raft"][..]), "{detail:?}");
    for service in ["", "polywire.kv.v1.Kv", "polywire.cluster.v1.Cluster"] {
        assert_eq!(health(node.grpc(), service).await.unwrap(), ServingStatus::NotServing, "{service}");
    }
    let own = status(node).await;
    assert_eq!(own.leader_id, None);
    let client = StatusClient::new(channel.clone());
    let seen = client.get_cluster_status(GetClusterStatusRequest {}).await.unwrap();
    let this = seen.nodes.iter().find(|member| member.id == seen.seen_by).unwrap();
    assert_eq!((seen.leader_id, this.health()), (None, MemberHealth::NoMajority), "{seen:?}");
    assert!(seen.nodes.iter().all(|member| member.role() != Role::Leader), "{seen:?}");
    let raft = client.get_raft_status(GetRaftStatusRequest {}).await.unwrap();
    assert_eq!((raft.leader_id, raft.state() == Role::Leader), (None, false), "{raft:?}");
    let told = MonitoringClient::new(channel).get_cluster_health(GetClusterHealthRequest {}).await.unwrap();
    assert!(!told.healthy && told.reasons.iter().any(|reason| reason.starts_with("raft: ")), "{told:?}");
}

async fn refused(node: &Node) {
    let put = PutRequest { key: "a".to_owned(), ..PutRequest::default() };
    let put = KvClient::new(connect(node.grpc()).await).put(put).timeout(Duration::from_secs(3)).await;
    let code = put.unwrap_err().code();
    assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded), "{code:?}");
}

#[tokio::test]
async fn a_member_that_is_started_alone_is_not_ready_until_a_majority_is_there() {
    let mut killed = kill_all(members(3).await).await;
    // One that led takes itself for the leader still, and one that followed follows it still.
    let follower = killed.remove(1).start().await;
    assert_eq!(follower.get("/readyz").await.status, 503, "from the first moment");
    assert_eq!(gauge(&follower, "has_leader").await, 0.0);
    killed.push(follower.kill().await);

    let leader = killed.remove(0).start().await;
    assert_eq!(leader.get("/readyz").await.status, 503, "from the first moment");
    assert_eq!(gauge(&leader, "quorum_age_seconds").await, f64::INFINITY);
    assert_not_ready(&leader, "no majority has confirmed this node as leader since the start").await;
    refused(&leader).await;
    assert_not_ready(&leader, "no majority has confirmed this node as leader since the start").await;

    let other = killed.remove(0).start().await;
    for node in [&leader, &other] {
        eventually("two of three are a majority", async || {
            (node.get("/readyz").await.status == 200).then_some(())
        })
        .await;
        assert_eq!(gauge(node, "has_leader").await, 1.0);
        assert!(gauge(node, "quorum_age_seconds").await < 2.4);
    }
}

#[tokio::test]
async fn a_follower_whose_leader_has_lost_its_majority_knows_no_leader() {
    let mut nodes = members(5).await;
    let (leader, follower) = (nodes.remove(0), nodes.remove(0));
    for node in [&leader, &follower] {
        eventually("all is well", async || (node.get("/readyz").await.status == 200).then_some(())).await;
    }
    kill_all(nodes).await;
    for node in [&leader, &follower] {
        eventually("no majority is left", async || (node.get("/readyz").await.status == 503).then_some(()))
            .await;
    }
    assert!(gauge(&follower, "quorum_age_seconds").await > 2.0);
    assert_not_ready(&leader, "no majority has confirmed this node as leader for ").await;
    // It hears its leader several times a second.
    assert_not_ready(&follower, "the leader ").await;
    let page = follower.get("/readyz?verbose").await;
    assert!(page.body.contains(" has had no majority for "), "{}", page.body);
    refused(&follower).await;
}

#[tokio::test]
async fn a_node_that_is_its_whole_cluster_is_ready_at_once_also_when_it_comes_back() {
    let node = Node::start(&[]).await;
    assert_eq!(node.get("/readyz").await.status, 200);
    let node = node.kill().await.start().await;
    assert_eq!(node.get("/readyz").await.status, 200);
    assert_eq!((gauge(&node, "has_leader").await, gauge(&node, "is_leader").await), (1.0, 1.0));
    assert!(gauge(&node, "quorum_age_seconds").await < 1.0);
}
