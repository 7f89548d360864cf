//! A member that has lost what it had.

use std::{fs, time::Duration};

use polywire_proto::{
    cluster::v1::{JoinRequest, RemoveMemberRequest},
    kv::v1::{GetRequest, PutRequest},
    monitoring::v1::GetClusterHealthRequest,
};
use polywire_services::{
    monitoring::MonitoringClient,
    raft::{ClusterClient, KvClient},
};
use polywire_tests::{
    node::{Node, run},
    patience::eventually,
};

use super::cluster::{Cluster, cluster_command};
use crate::node::connect;

fn put(key: &str) -> PutRequest {
    PutRequest { key: key.to_owned(), value: "1".into(), ..PutRequest::default() }
}

#[tokio::test]
async fn a_voter_that_has_lost_what_it_had_does_not_vote_until_it_has_joined_again() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let (lost, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let at_leader = connect(cluster.node(leader).grpc()).await;
    let kv = KvClient::new(at_leader.clone());
    kv.put(put("acknowledged")).await.unwrap();
    let status = cluster.status(leader).await.unwrap();
    let id = cluster.status(lost).await.unwrap().this.unwrap().id;

    cluster.kill(lost).await;
    fs::remove_dir_all(cluster.data_dir(lost).join("raft")).unwrap();
    cluster.restart(lost).await;
    let own = cluster.status(lost).await.unwrap();
    assert!(own.cluster_id.is_empty() && !own.initialized, "it forms no cluster of its own: {own:?}");

    // One that tells where it is reached now is called by the leader, and refuses.
    let moved = polywire_proto::cluster::v1::UpdateMemberRequest { member: own.this, ..Default::default() };
    ClusterClient::new(at_leader.clone()).update_member(moved).await.unwrap();
    let monitoring = MonitoringClient::new(at_leader.clone());
    eventually("the leader is told why", async || {
        let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.ok()?;
        let peer = told.peers.iter().find(|peer| peer.id == id)?;
        let said = peer.errors.iter().any(|error| format!("{error:?}").contains("it has lost its data"));
        // Its process is there, and answers everything but Raft.
        (said && !told.healthy).then_some(())
    })
    .await;

    // With the other one gone there is no majority that has anything.
    cluster.kill(other).await;
    kv.put(put("by nobody else")).timeout(Duration::from_secs(3)).await.unwrap_err();
    cluster.restart(other).await;
    eventually("the two are a majority again", async || {
        kv.put(put("by two")).timeout(Duration::from_secs(3)).await.ok()
    })
    .await;

    let (seed, joining) = (cluster.node(other).grpc().to_owned(), connect(cluster.node(lost).grpc()).await);
    let joining = ClusterClient::new(joining);
    let refused =
        joining.join(JoinRequest { seed: seed.clone(), ..JoinRequest::default() }).await.unwrap_err();
    assert!(refused.message().contains("is a voter of this cluster, and has lost its data"), "{refused}");
    let seed_client = ClusterClient::new(connect(&seed).await);
    seed_client
        .remove_member(RemoveMemberRequest { id, cluster_id: status.cluster_id.clone() })
        .await
        .unwrap();
    joining.join(JoinRequest { seed, ..JoinRequest::default() }).await.unwrap();
    let found = KvClient::new(connect(cluster.node(lost).grpc()).await);
    found.get(GetRequest { key: "acknowledged".to_owned(), ..GetRequest::default() }).await.unwrap();
    assert_eq!(cluster.status(lost).await.unwrap().cluster_id, status.cluster_id);
}

#[tokio::test]
async fn a_node_whose_data_are_gone_takes_no_writes_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data_dir = format!("--node.data_dir={}", data.display());
    // The identity is made before the first start, as an operator may do who needs it.
    let made = run(directory.path(), &["id", &data_dir]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let node = Node::start(&[&data_dir]).await;
    KvClient::new(connect(node.grpc()).await).put(put("acknowledged")).await.unwrap();
    assert_eq!(node.terminate().await.code, Some(0));
    fs::remove_dir_all(data.join("raft")).unwrap();

    // The second start finds what the first has made.
    for _ in 0..2 {
        let node = Node::start(&[&data_dir]).await;
        let ready = node.get("/readyz?verbose").await;
        assert_eq!(ready.status, 503, "{}", ready.body);
        let refused = KvClient::new(connect(node.grpc()).await).put(put("anew")).await.unwrap_err();
        assert_eq!(refused.code(), polywire::Code::FailedPrecondition, "{refused}");
        for said in [&*ready.body, refused.message()] {
            for part in ["raft are gone", "cluster remove", "cluster join TARGET", "cluster init"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        // A join that fails leaves it as it was.
        let seed = JoinRequest { seed: "grpc://127.0.0.1:1".to_owned(), ..JoinRequest::default() };
        ClusterClient::new(connect(node.grpc()).await).join(seed).await.unwrap_err();
        assert_eq!(node.get("/readyz").await.status, 503);
        node.kill().await;
    }

    let node = Node::start(&[&data_dir]).await;
    let formed = cluster_command(&["init", "--node", node.grpc()]).await;
    assert_eq!(formed.code, 0, "{}", formed.stderr);
    KvClient::new(connect(node.grpc()).await).put(put("anew")).await.unwrap();
    assert_eq!(node.terminate().await.code, Some(0));
    let node = Node::start(&[&data_dir]).await;
    KvClient::new(connect(node.grpc()).await).put(put("again")).await.unwrap();
}

#[tokio::test]
async fn a_member_is_not_taken_out_of_a_cluster_that_it_is_not_meant_to_leave() {
    let node = Node::start(&[]).await;
    let client = ClusterClient::new(connect(node.grpc()).await);
    let request = RemoveMemberRequest { id: 1, cluster_id: "another".to_owned() };
    let refused = client.remove_member(request).await.unwrap_err();
    assert_eq!(refused.code(), polywire::Code::FailedPrecondition, "{refused}");
    assert!(refused.message().ends_with("expected another"), "{refused}");
}
