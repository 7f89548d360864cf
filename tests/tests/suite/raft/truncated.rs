//! A write that a leader had begun, and another leader has cut off the log.

use std::time::Duration;

use polywire::Code;
use polywire_proto::{
    cluster::v1::{StatusRequest, StatusResponse},
    kv::v1::PutRequest,
};
use polywire_services::raft::{ClusterClient, KvClient};
use polywire_tests::{
    node::Node,
    patience::{eventually, within},
};
use rustix::process::Signal;

use super::cluster::{addresses_of_its_own, start_at};
use crate::node::connect;

async fn status(node: &Node) -> Option<StatusResponse> {
    ClusterClient::new(connect(node.grpc()).await).status(StatusRequest::default()).await.ok()
}

fn put(value: &'static str) -> PutRequest {
    PutRequest { key: "a".to_owned(), value: value.into(), ..PutRequest::default() }
}

#[tokio::test]
async fn a_write_without_request_id_that_was_begun_is_not_made_again() {
    // They must find each other again when all but one of them have been restarted.
    let addresses = addresses_of_its_own::<3>();
    let targets: Vec<_> = addresses.iter().map(|address| format!("grpc://{address}")).collect();
    let flags = [&*format!("--cluster.peers={targets:?}"), "--transport.strategy.raft_transport=always_grpc"];
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let start = async |place: usize| start_at(&addresses[place], data[place].path(), &flags).await;
    let mut nodes = Vec::new();
    for place in 0..3 {
        nodes.push(start(place).await);
    }
    let leader = eventually("three voters follow one of them", async || {
        let mut leaders = Vec::new();
        for node in &nodes {
            let status = status(node).await?;
            let voters = status.members.iter().filter(|member| member.voter).count();
            leaders.push(status.leader_id.filter(|_| voters == 3)?);
        }
        let first = status(&nodes[0]).await?;
        let leader = first.members.iter().find(|member| leaders.iter().all(|id| *id == member.id))?;
        targets.iter().position(|target| leader.targets.contains(target))
    })
    .await;

    // Only the leader has the entry.
    let begun = status(&nodes[leader]).await.unwrap().last_log_index;
    let leading = nodes.remove(leader);
    for node in nodes.drain(..) {
        node.signal(Signal::KILL);
        node.ended().await;
    }
    let kv = KvClient::new(connect(leading.grpc()).await);
    let writing = tokio::spawn(async move { kv.put(put("begun")).timeout(Duration::from_secs(25)).await });
    eventually("the leader has begun", async || {
        (status(&leading).await?.last_log_index > begun).then_some(())
    })
    .await;
    // The others, who have not, elect a leader and go on.
    leading.signal(Signal::STOP);
    for place in (0..3).filter(|place| *place != leader) {
        nodes.push(start(place).await);
    }
    let kv = KvClient::new(connect(nodes[0].grpc()).await);
    eventually("the others go on", async || {
        let outcome = kv.put(put("meanwhile")).timeout(Duration::from_secs(3)).await;
        outcome.inspect_err(|status| eprintln!("not yet: {status}")).ok()
    })
    .await;
    leading.signal(Signal::CONT);

    let refused = within(writing).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("may have been executed"), "{refused}");
    assert!(!refused.is_not_processed(), "{refused}");
}
