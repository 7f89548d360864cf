//! A node whose files are damaged.

use std::{fs, path::Path};

use polywire_tests::node::{FREE_PORTS, call, run};
use serde_json::json;

use super::cluster::{Cluster, cluster_command};

#[tokio::test]
async fn a_node_whose_file_was_cut_short_refuses_to_start_and_costs_the_others_nothing() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let put = json!({"key": "a", "value": "MQ=="}).to_string();
    let written = call(&[cluster.node(leader).grpc(), "polywire.kv.v1.Kv/Put", &put]).await;
    assert_eq!(written.code, 0, "{}", written.stderr);
    let damaged = (leader + 1) % 3;
    let id = cluster.status(damaged).await.unwrap().this.unwrap().id;
    cluster.caught_up(damaged).await;
    cluster.kill(damaged).await;

    let file = cluster.data_dir(damaged).join("raft/state.redb");
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
    let data = format!("--node.data_dir={}", cluster.data_dir(damaged).display());
    let refused = run(Path::new("/"), &["serve", FREE_PORTS[0], FREE_PORTS[1], &data]).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for part in ["the node's cluster cannot start", "state.redb", "let it join again"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(fs::metadata(&file).unwrap().len(), length / 2, "what is left is left alone");

    let get = json!({"key": "a"}).to_string();
    let found = call(&[cluster.node(leader).grpc(), "polywire.kv.v1.Kv/Get", &get]).await;
    assert!(found.stdout.contains("MQ=="), "{}", found.stderr);

    // As the message says: out of the cluster, the directory away, and in again.
    let remove = json!({"id": id.to_string()}).to_string();
    let seed = cluster.node(leader).grpc().to_owned();
    let removed = call(&[&seed, "polywire.cluster.v1.Cluster/RemoveMember", &remove]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    fs::rename(cluster.data_dir(damaged).join("raft"), cluster.data_dir(damaged).join("raft-damaged"))
        .unwrap();
    cluster.restart(damaged).await;
    let joined = cluster_command(&["join", &seed, "--node", cluster.node(damaged).grpc()]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    let found = call(&[cluster.node(damaged).grpc(), "polywire.kv.v1.Kv/Get", &get]).await;
    assert!(found.stdout.contains("MQ=="), "{}", found.stderr);
}

#[tokio::test]
async fn a_second_node_on_the_same_data_is_refused() {
    let node = polywire_tests::node::Node::start(&[]).await;
    let data = format!("--node.data_dir={}", node.data_dir().display());
    let refused = run(Path::new("/"), &["serve", FREE_PORTS[0], FREE_PORTS[1], &data]).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("in use by another process"), "{}", refused.stderr);
}
