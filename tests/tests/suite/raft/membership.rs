//! How a cluster is formed and changed.

use std::time::Duration;

use polywire::Code;
use polywire_proto::cluster::v1::{JoinRequest, LeaveRequest, RemoveMemberRequest};
use polywire_services::raft::ClusterClient;
use polywire_tests::{
    node::{Finished, Node, call},
    patience::eventually,
};
use serde_json::{Value, json};

use super::cluster::{Cluster, addresses_of_its_own, cluster_command, start_at};
use crate::node::connect;

async fn kv(target: &str, method: &str, request: Value) -> Finished {
    call(&[target, &format!("polywire.kv.v1.Kv/{method}"), &request.to_string()]).await
}

async fn status(node: &Node) -> Value {
    let shown = cluster_command(&["status", "--json", "--node", node.iroh()]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    serde_json::from_str(&shown.stdout).unwrap()
}

#[tokio::test]
async fn a_node_alone_is_a_cluster_of_one() {
    let node = Node::start(&[]).await;
    let status = status(&node).await;
    assert_eq!(status["members"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["leader_id"], status["node_id"]);
    let put = kv(node.grpc(), "Put", json!({"key": "colour", "value": "Ymx1ZQ=="})).await;
    assert_eq!(put.code, 0, "{}", put.stderr);
    let got = kv(node.iroh(), "Get", json!({"key": "colour"})).await;
    assert!(got.stdout.contains("Ymx1ZQ=="), "{}", got.stdout);
    assert_eq!(node.get("/readyz").await.status, 200);
    let missing = kv(node.grpc(), "Get", json!({"key": "shape"})).await;
    assert_eq!(missing.code, 64 + 5, "{}", missing.stderr);
}

#[tokio::test]
async fn a_write_happens_once_and_only_at_the_revision_that_it_expects() {
    let cluster = Cluster::start(&[]).await;
    let put = async |place: usize, request: Value| kv(cluster.node(place).grpc(), "Put", request).await;
    let again = json!({"key": "a", "value": "MQ==", "requestId": "one"});
    for place in 0..3 {
        let written = put(place, again.clone()).await;
        assert_eq!(written.stdout.trim(), r#"{"revision":"1"}"#, "{}", written.stderr);
    }
    let stale = put(1, json!({"key": "a", "value": "Mg==", "expectedRevision": 7})).await;
    assert_eq!(stale.code, 64 + 9, "{}", stale.stderr);
    assert!(stale.stderr.contains("revision mismatch of key \"a\": expected 7, found 1"), "{}", stale.stderr);
    let large = put(2, json!({"key": "", "value": ""})).await;
    assert_eq!(large.code, 64 + 3, "{}", large.stderr);
}

#[tokio::test]
async fn a_node_that_holds_data_does_not_join_another_cluster() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    kv(two.grpc(), "Put", json!({"key": "a", "value": ""})).await;
    let refused = cluster_command(&["join", one.grpc(), "--node", two.grpc()]).await;
    assert_eq!(refused.code, 64 + 9, "{}", refused.stderr);
    assert!(refused.stderr.contains("holds data (1 writes)"), "{}", refused.stderr);
    assert!(kv(two.grpc(), "Get", json!({"key": "a"})).await.code == 0);
    let own = cluster_command(&["join", one.grpc(), "--node", one.grpc()]).await;
    assert!(own.stderr.contains("it is this node; expected a member"), "{}", own.stderr);
    let nobody = cluster_command(&["join", "grpc://127.0.0.1:1", "--node", one.grpc()]).await;
    assert_eq!(nobody.code, 64 + 14, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("seed grpc://127.0.0.1:1"), "{}", nobody.stderr);
}

#[tokio::test]
async fn a_node_that_leaves_is_a_cluster_of_one_without_data() {
    let cluster = Cluster::start(&[]).await;
    kv(cluster.node(0).grpc(), "Put", json!({"key": "a", "value": "MQ=="})).await;
    let leader = cluster.leader().await;
    for leaving in [(leader + 1) % 3, leader] {
        let left = cluster_command(&["leave", "--node", cluster.node(leaving).grpc()]).await;
        assert_eq!(left.code, 0, "{}", left.stderr);
        assert_eq!(status(cluster.node(leaving)).await["members"].as_array().unwrap().len(), 1);
        assert_eq!(kv(cluster.node(leaving).grpc(), "Get", json!({"key": "a"})).await.code, 64 + 5);
    }
    let last = cluster.node((leader + 2) % 3);
    eventually("the last member leads itself", async || {
        let status = status(last).await;
        (status["members"].as_array()?.len() == 1 && status["leader_id"] == status["node_id"]).then_some(())
    })
    .await;
    assert_eq!(kv(last.grpc(), "Get", json!({"key": "a"})).await.code, 0);
    let refused = cluster_command(&["leave", "--node", last.grpc()]).await;
    assert!(refused.stderr.contains("the only member of its cluster"), "{}", refused.stderr);
}

#[tokio::test]
async fn nodes_that_list_each_other_become_one_cluster() {
    let addresses = addresses_of_its_own::<3>();
    let targets: Vec<_> = addresses.iter().map(|address| format!("grpc://{address}")).collect();
    let peers = format!("--cluster.peers={targets:?}");
    let data: Vec<_> = addresses.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    let mut nodes = Vec::new();
    for (address, data) in addresses.iter().zip(&data) {
        nodes.push(start_at(address, data.path(), &[&peers]).await);
        if nodes.len() < 3 {
            assert_eq!(nodes[0].get("/readyz").await.status, 503, "before all are there");
        }
    }
    for node in &nodes {
        eventually("all three are members", async || {
            let status = status(node).await;
            let voters = status["members"].as_array()?.iter().filter(|member| member["role"] != "learner");
            (voters.count() == 3 && status["leader_id"].is_string()).then_some(())
        })
        .await;
    }
}

/// As after a crash behind the removal, or where the answer to it was lost.
#[tokio::test]
async fn a_node_that_is_out_and_does_not_know_it_leaves_all_the_same() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let out = (leader + 1) % 3;
    let id = cluster.status(out).await.unwrap().this.unwrap().id;
    let at_leader = ClusterClient::new(connect(cluster.node(leader).grpc()).await);
    at_leader.remove_member(RemoveMemberRequest { id, ..RemoveMemberRequest::default() }).await.unwrap();
    let left = cluster_command(&["leave", "--node", cluster.node(out).grpc()]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    assert_eq!(status(cluster.node(out)).await["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_node_whose_caller_gives_up_has_left_or_joined_all_the_same_or_has_not_begun() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    let client = ClusterClient::new(connect(two.grpc()).await);
    let seed = one.grpc().to_owned();
    let members = async |count: usize| {
        eventually("the change is through", async || {
            let status = status(&two).await;
            (status["members"].as_array()?.len() == count && status["leader_id"].is_string()).then_some(())
        })
        .await;
    };
    for milliseconds in [1, 20, 80, 200] {
        let limit = Duration::from_millis(milliseconds);
        // Given up somewhere in between, and then made for certain.
        let _ =
            client.join(JoinRequest { seed: seed.clone(), ..JoinRequest::default() }).timeout(limit).await;
        client.join(JoinRequest { seed: seed.clone(), ..JoinRequest::default() }).await.unwrap();
        members(2).await;
        let _ = client.leave(LeaveRequest {}).timeout(limit).await;
        if let Err(status) = client.leave(LeaveRequest {}).await {
            assert!(status.message().contains("the only member of its cluster"), "{status}");
        }
        members(1).await;
    }
}

/// The first step of a removal needs a majority of those that stay, of which one is stopped. The call that would make the
/// second step is over before that one goes on.
#[tokio::test]
async fn a_change_that_its_caller_has_given_up_half_done_is_completed_by_the_leader() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let [stays, goes] = [(leader + 1) % 3, (leader + 2) % 3];
    let id = cluster.status(goes).await.unwrap().this.unwrap().id;
    cluster.node(stays).stop().await;
    let client = ClusterClient::new(connect(cluster.node(leader).grpc()).await);
    let removing = client.remove_member(RemoveMemberRequest { id, cluster_id: String::new() });
    let given_up = removing.timeout(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(given_up.code(), Code::DeadlineExceeded, "{given_up}");
    let half = cluster.status(leader).await.unwrap();
    let member = half.members.iter().find(|member| member.id == id);
    assert!(member.is_some_and(|member| !member.voter), "{half:?}");
    cluster.node(stays).cont();
    eventually("it is no member any more", async || {
        let now = [cluster.status(leader).await?, cluster.status(stays).await?];
        let voters =
            now.map(|status| (status.members.len(), status.members.iter().filter(|m| m.voter).count()));
        (voters == [(2, 2); 2]).then_some(())
    })
    .await;
}
