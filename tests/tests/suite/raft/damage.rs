//! A node whose files are damaged.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use polywire_proto::kv::v1::PutRequest;
use polywire_services::raft::KvClient;
use polywire_tests::{
    node::{FREE_PORTS, Node, call, get, run},
    patience::{eventually, within},
};
use serde_json::json;

use super::cluster::{Cluster, cluster_command};
use crate::node::connect;

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
async fn a_node_that_meets_damage_while_it_runs_ends_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data_dir = format!("--node.data_dir={}", data.display());
    let put = async |node: &Node, key: &str, value: &str| {
        let request =
            PutRequest { key: key.to_owned(), value: value.to_owned().into(), ..Default::default() };
        KvClient::new(connect(node.grpc()).await).put(request).timeout(Duration::from_secs(5)).await
    };
    let node = Node::start(&[&data_dir]).await;
    put(&node, "whole", "1").await.unwrap();
    put(&node, "damaged", "the damaged value").await.unwrap();
    assert_eq!(node.terminate().await.code, Some(0));

    // The head of the record, wherever the file has it: 0xc1 begins nothing in MessagePack.
    let file = data.join("raft/state.redb");
    let mut bytes = fs::read(&file).unwrap();
    let record = b"\x83\xa5value\xc4\x11the damaged value";
    let places: Vec<_> =
        (0..bytes.len() - record.len()).filter(|place| bytes[*place..].starts_with(record)).collect();
    assert!(!places.is_empty(), "the record is not there");
    places.iter().for_each(|place| bytes[*place] = 0xc1);
    fs::write(&file, bytes).unwrap();

    let node = Node::start(&[&data_dir]).await;
    let http = node.targets.http.clone().unwrap();
    put(&node, "whole", "2").await.unwrap();
    assert_eq!(node.get("/readyz").await.status, 200);
    put(&node, "damaged", "2").await.unwrap_err();
    let begun = Instant::now();
    // It says so until it has ended.
    eventually("it is not ready", async || {
        let page = get(http.strip_prefix("http://").unwrap(), "/readyz", "*/*").await;
        page.is_none_or(|page| page.status == 503).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let ended = within(node.ended()).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in ["the node has failed: Raft has failed", "state.redb", "let it join again"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_second_node_on_the_same_data_is_refused() {
    let node = Node::start(&[]).await;
    let data = format!("--node.data_dir={}", node.data_dir().display());
    let refused = run(Path::new("/"), &["serve", FREE_PORTS[0], FREE_PORTS[1], &data]).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("in use by another process"), "{}", refused.stderr);
}
