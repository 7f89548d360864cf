//! Three nodes that become a cluster by invitation, where nothing is trusted because it is local.

use polywire::{Code, ConnectOptions, Status, Target};
use polywire_proto::{
    cluster::v1::{StatusRequest, StatusResponse},
    kv::v1::{GetRequest, PutRequest},
};
use polywire_services::raft::{ClusterClient, KvClient};
use polywire_tests::{
    node::{Finished, Node},
    patience::eventually,
    pki::Pki,
};
use serde_json::Value;

use super::cluster::cluster_command;
use crate::node::connect;

/// A node whose operator is this process's user over a Unix socket, and that trusts no other caller.
async fn closed(flags: &[&str]) -> Node {
    let uid = rustix::process::getuid().as_raw();
    let operator =
        format!("--access.allow=[{{ who = [\"uid:{uid}\"], what = [\"operator\", \"application\"] }}]");
    // Relative to the data of this node alone.
    let own = [
        "--access.trust_local=false",
        "--transport.unix.enabled=true",
        "--transport.unix.path=node.sock",
        &operator,
    ];
    Node::start(&[&own, flags].concat()).await
}

/// Where its operator calls it.
fn desk(node: &Node) -> String {
    format!("unix://{}", node.directory().join("node.sock").display())
}

async fn invite(node: &Node) -> String {
    let invited = cluster_command(&["invite", &desk(node)]).await;
    assert_eq!(invited.code, 0, "{}", invited.stderr);
    assert_eq!(invited.stdout.lines().count(), 1, "{}", invited.stdout);
    invited.stdout.trim().to_owned()
}

async fn join(node: &Node, token: &str) -> Finished {
    cluster_command(&["join", token, "--node", &desk(node)]).await
}

/// What a stranger with this invitation is told of the cluster.
async fn asked(node: &Node, token: &str) -> Result<StatusResponse, Status> {
    let options = ConnectOptions::new().secret_key([9; 32]);
    let channel = node.iroh().parse::<Target>().unwrap().connect(&options).await?;
    let asking = ClusterClient::new(channel).status(StatusRequest::default());
    asking.metadata("authorization", format!("Bearer {token}")).await
}

async fn status(node: &Node) -> Value {
    let shown = cluster_command(&["status", "--json", &desk(node)]).await;
    serde_json::from_str(&shown.stdout).unwrap_or_default()
}

/// Returns once this node follows a leader in a cluster of so many.
async fn settled(node: &Node, members: usize) {
    eventually("the cluster has a leader", async || {
        let status = status(node).await;
        let settled = status["members"].as_array()?.len() == members && status["leader_id"].is_string();
        settled.then_some(())
    })
    .await;
}

async fn put(node: &Node, key: &str) {
    let kv = KvClient::new(connect(&desk(node)).await);
    let request = PutRequest { key: key.to_owned(), value: "1".into(), ..PutRequest::default() };
    eventually("a write", async || kv.put(request.clone()).await.ok()).await;
}

async fn has(node: &Node, key: &str) {
    let kv = KvClient::new(connect(&desk(node)).await);
    let request = GetRequest { key: key.to_owned(), ..GetRequest::default() };
    eventually("a read", async || kv.get(request.clone()).await.ok()).await;
}

/// Three nodes with these flags: each joins by its own token, one is killed and comes back, and one is removed.
async fn three(flags: &[&str]) {
    let (one, two, three) = (closed(flags).await, closed(flags).await, closed(flags).await);
    let token = invite(&one).await;
    let joined = join(&two, &token).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    let again = join(&three, &token).await;
    assert_ne!(again.code, 0, "the token was used");
    if flags == ["--transport.mode=iroh"] {
        // Until then, it lets a key ask who the members are.
        asked(&one, &invite(&one).await).await.unwrap();
        let refused = asked(&one, &token).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    }
    assert_eq!(status(&three).await["members"].as_array().unwrap().len(), 1);
    // Any member invites.
    let joined = join(&three, &invite(&two).await).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    for node in [&one, &two, &three] {
        settled(node, 3).await;
    }
    put(&three, "before").await;

    let killed = two.kill().await;
    put(&one, "while it was away").await;
    let two = killed.start().await;
    settled(&two, 3).await;
    has(&two, "while it was away").await;

    let id = status(&three).await["node_id"].as_str().unwrap().to_owned();
    let removed = cluster_command(&["remove", &id, &desk(&one)]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    settled(&one, 2).await;
    put(&two, "after").await;
    eventually("the removed node knows", async || {
        let status = status(&three).await;
        status["removed"].as_bool().filter(|removed| *removed)
    })
    .await;
    // It may ask the members nothing any more, and leaves all the same.
    let left = cluster_command(&["leave", &desk(&three)]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    settled(&three, 1).await;
    assert_eq!(status(&three).await["removed"], false);
}

#[tokio::test]
async fn nodes_join_by_invitation_over_plaintext() {
    three(&["--transport.mode=grpc"]).await;
}

#[tokio::test]
async fn nodes_join_by_invitation_over_iroh() {
    three(&["--transport.mode=iroh"]).await;
}

#[tokio::test]
async fn nodes_join_by_invitation_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    three(&[
        "--transport.mode=grpc",
        "--transport.grpc.tls_enabled=true",
        &format!("--transport.grpc.tls_cert={}", pki.certificate.display()),
        &format!("--transport.grpc.tls_key={}", pki.key.display()),
        &format!("--cluster.ca={}", pki.authority.display()),
    ])
    .await;
}

#[tokio::test]
async fn a_node_that_knows_no_member_and_has_no_invitation_does_not_join() {
    let (one, two) = (closed(&["--transport.mode=grpc"]).await, closed(&["--transport.mode=grpc"]).await);
    let refused = cluster_command(&["join", one.grpc(), "--node", &desk(&two)]).await;
    assert_eq!(refused.code, 64 + 16, "{}", refused.stderr);
    assert_eq!(status(&one).await["members"].as_array().unwrap().len(), 1);
}
