//! Python's grpcio against a cluster of three and against a node alone, and the same calls over Iroh.

use std::path::PathBuf;

use polywire_tests::node::{Node, binary};

use super::cluster::Cluster;
use crate::python::run_against;

/// Serves what older clients call too.
const FLAGS: [&str; 1] = ["--compat.blixard=true"];

#[tokio::test(flavor = "multi_thread")]
async fn python_is_told_how_the_cluster_and_its_consensus_are() {
    run("cluster_status.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_is_told_what_the_members_measure_and_how_they_are() {
    run("cluster_monitoring.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_reads_at_all_members_what_it_wrote_at_one() {
    run("cluster_kv.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_with_the_messages_of_an_older_client_is_answered_under_the_old_names() {
    run("cluster_old_names.py").await;
}

/// Runs one file of tests against three members, and then against one.
async fn run(script: &str) {
    let cluster = Cluster::start(&FLAGS).await;
    for place in 0..3 {
        cluster.caught_up(place).await;
    }
    run_at(script, &[0, 1, 2].map(|place| (cluster.node(place), cluster.data_dir(place)))).await;
    drop(cluster);
    let alone = Node::start(&FLAGS).await;
    run_at(script, &[(&alone, alone.data_dir())]).await;
}

async fn run_at(script: &str, members: &[(&Node, PathBuf)]) {
    let without_old_names = Node::start(&[]).await;
    let all = |say: fn(&Node) -> String| {
        let said: Vec<_> = members.iter().map(|(node, _)| say(node)).collect();
        said.join(" ")
    };
    let data: Vec<_> = members.iter().map(|(_, data)| data.to_str().unwrap()).collect();
    let servers = [
        ("NODE_ADDRESS", without_old_names.grpc_address()),
        ("MEMBERS", &*all(|node| node.grpc_address().to_owned())),
        ("MEMBERS_IROH", &*all(|node| node.iroh().to_owned())),
        ("MEMBERS_KEYS", &*all(|node| node.targets.node_id.clone())),
        ("MEMBERS_PIDS", &*all(|node| node.pid().to_string())),
        ("MEMBERS_DATA", &*data.join(" ")),
        ("BINARY", binary().to_str().unwrap()),
    ];
    run_against(script, servers).await;
}
