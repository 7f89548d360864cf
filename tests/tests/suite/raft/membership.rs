//! How a cluster is formed and changed.

use polywire_tests::{
    node::{Finished, Node, call},
    patience::eventually,
};
use serde_json::{Value, json};

use super::cluster::{Cluster, cluster_command};

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
    assert!(stale.stderr.contains("expected revision 7 of \"a\", and it has 1"), "{}", stale.stderr);
    let large = put(2, json!({"key": "", "value": ""})).await;
    assert_eq!(large.code, 64 + 3, "{}", large.stderr);
}

#[tokio::test]
async fn a_node_that_holds_data_does_not_join_another_cluster() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    kv(two.grpc(), "Put", json!({"key": "a", "value": ""})).await;
    let refused = cluster_command(&["join", one.grpc(), "--node", two.grpc()]).await;
    assert_eq!(refused.code, 64 + 9, "{}", refused.stderr);
    assert!(refused.stderr.contains("holds data of its own (1 writes)"), "{}", refused.stderr);
    assert!(kv(two.grpc(), "Get", json!({"key": "a"})).await.code == 0);
    let own = cluster_command(&["join", one.grpc(), "--node", one.grpc()]).await;
    assert!(own.stderr.contains("is this node; expected another"), "{}", own.stderr);
    let nobody = cluster_command(&["join", "grpc://127.0.0.1:1", "--node", one.grpc()]).await;
    assert_eq!(nobody.code, 64 + 14, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("the seed grpc://127.0.0.1:1"), "{}", nobody.stderr);
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
    let ports: Vec<u16> = {
        let sockets: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect()
    };
    let targets: Vec<_> = ports.iter().map(|port| format!("grpc://127.0.0.1:{port}")).collect();
    let peers = format!("--cluster.peers={targets:?}");
    let start = async |port: &u16| {
        let address = format!("--transport.grpc.bind_address=127.0.0.1:{port}");
        let data = tempfile::tempdir().unwrap();
        let directory = format!("--node.data_dir={}", data.path().join("data").display());
        let flags = [&*address, &*peers, &*directory, "--http.bind_address=127.0.0.1:0"];
        let command = tokio::process::Command::new(polywire_tests::node::binary());
        (Node::start_with(command, flags).await, data)
    };
    let mut nodes = Vec::new();
    for port in &ports {
        nodes.push(start(port).await);
        if nodes.len() < 3 {
            assert_eq!(nodes[0].0.get("/readyz").await.status, 503, "before all are there");
        }
    }
    for (node, _) in &nodes {
        eventually("all three are members", async || {
            let status = status(node).await;
            let voters = status["members"].as_array()?.iter().filter(|member| member["role"] != "learner");
            (voters.count() == 3 && status["leader_id"].is_string()).then_some(())
        })
        .await;
    }
}
