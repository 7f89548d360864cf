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
use polywire_tests::patience::eventually;

use super::cluster::Cluster;
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
    assert_ne!(own.cluster_id, status.cluster_id, "it is a cluster of its own");

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
    let refused = joining.join(JoinRequest { seed: seed.clone() }).await.unwrap_err();
    assert!(refused.message().contains("is a voter of this cluster, and has lost its data"), "{refused}");
    let seed_client = ClusterClient::new(connect(&seed).await);
    seed_client
        .remove_member(RemoveMemberRequest { id, cluster_id: status.cluster_id.clone() })
        .await
        .unwrap();
    joining.join(JoinRequest { seed }).await.unwrap();
    let found = KvClient::new(connect(cluster.node(lost).grpc()).await);
    found.get(GetRequest { key: "acknowledged".to_owned(), ..GetRequest::default() }).await.unwrap();
    assert_eq!(cluster.status(lost).await.unwrap().cluster_id, status.cluster_id);
}

#[tokio::test]
async fn a_member_is_not_taken_out_of_a_cluster_that_it_is_not_meant_to_leave() {
    let node = polywire_tests::node::Node::start(&[]).await;
    let client = ClusterClient::new(connect(node.grpc()).await);
    let request = RemoveMemberRequest { id: 1, cluster_id: "another".to_owned() };
    let refused = client.remove_member(request).await.unwrap_err();
    assert_eq!(refused.code(), polywire::Code::FailedPrecondition, "{refused}");
    assert!(refused.message().ends_with("not in another"), "{refused}");
}
