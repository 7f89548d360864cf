//! What `cluster` says of members that are gone, or are none, and of what it could not do.

use std::time::{Duration, Instant};

use polywire::Code;
use polywire_proto::{
    cluster::v1::{
        InitRequest, Member, RemoveMemberRequest, StatusRequest, StatusResponse, UpdateMemberRequest,
    },
    kv::v1::{GetRequest, ListRequest, PutRequest},
};
use polywire_services::raft::{ClusterClient, KvClient};
use polywire_tests::{
    node::{Finished, Node},
    patience::eventually,
};
use serde_json::Value;

use super::cluster::{Cluster, cluster_command};
use crate::node::connect;

async fn told(node: &Node, arguments: &[&str]) -> Finished {
    cluster_command(&[arguments, &["--node", node.grpc()]].concat()).await
}

/// The line of this member in the table.
fn line<'a>(shown: &'a Finished, name: &str) -> Vec<&'a str> {
    let lines = shown.stdout.lines().map(|line| line.trim_start_matches(['*', ' ']));
    let mut words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.find(|words| words.first() == Some(&name)).unwrap_or_default()
}

#[tokio::test]
async fn what_names_no_member_is_not_found_whichever_member_is_asked() {
    let cluster = Cluster::start(&[]).await;
    let seen = cluster.status(0).await.unwrap();
    // What it says of itself is signed.
    let stranger = Node::start(&[]).await;
    let stranger = ClusterClient::new(connect(stranger.grpc()).await).status(StatusRequest::default());
    let stranger = stranger.await.unwrap().this.unwrap();
    for place in 0..3 {
        let client = ClusterClient::new(connect(cluster.node(place).grpc()).await);
        let request = RemoveMemberRequest { id: 7, cluster_id: seen.cluster_id.clone() };
        let refused = client.remove_member(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
        assert_eq!(refused.message(), "node 7 is not a member of this cluster");
        let moved = |member: &Member| {
            let member = Some(member.clone());
            client.update_member(UpdateMemberRequest { member, ..UpdateMemberRequest::default() })
        };
        assert_eq!(moved(&stranger).await.unwrap_err().code(), Code::NotFound);
        let unsigned = Member { id: 7, endpoint_id: format!("{:016x}", 7), ..stranger.clone() };
        assert_eq!(moved(&unsigned).await.unwrap_err().code(), Code::Unauthenticated);
    }
    let refused = told(cluster.node(1), &["remove", "node-7"]).await;
    assert_eq!(refused.code, 64 + 5, "{}", refused.stderr);
    for part in ["member \"node-7\" not found", "node-0", "node-1", "node-2"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn what_has_been_done_before_is_not_done_again_and_the_command_says_so() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    let refused = told(&one, &["init"]).await;
    assert_eq!(refused.code, 64 + 6, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("already forms a cluster of its own; nothing was done"),
        "{}",
        refused.stderr
    );
    assert_eq!(told(&two, &["join", one.grpc()]).await.code, 0);
    let refused = told(&two, &["join", one.grpc()]).await;
    assert_eq!(refused.code, 64 + 6, "{}", refused.stdout);
    assert!(refused.stderr.contains("already; nothing was done"), "{}", refused.stderr);
    let refused = ClusterClient::new(connect(two.grpc()).await).init(InitRequest {}).await.unwrap_err();
    assert_eq!(refused.message(), "this node is already in a cluster of 2 members; nothing was done");
}

#[tokio::test]
async fn a_member_that_is_gone_is_shown_as_such_and_is_removed_by_its_name() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let (gone, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let [gone_name, other_name, leader_name] = [gone, other, leader].map(|place| format!("node-{place}"));
    let well = eventually("all are well", async || {
        let shown = told(cluster.node(other), &["status"]).await;
        let well = |name: &str| line(&shown, name).get(2) == Some(&"ok");
        (well(&gone_name) && well(&other_name) && well(&leader_name)).then_some(shown)
    })
    .await;
    let head = ["NAME", "ROLE", "HEALTH", "LAST-CONTACT", "LAG", "TARGETS"];
    assert_eq!(line(&well, "NAME"), head, "{}", well.stdout);
    assert_eq!(line(&well, &leader_name)[1], "leader", "{}", well.stdout);
    assert_eq!(line(&well, &gone_name)[1], "follower", "{}", well.stdout);

    cluster.kill(gone).await;
    let shown = eventually("the loss is shown", async || {
        let shown = told(cluster.node(other), &["status", "-v"]).await;
        line(&shown, &gone_name).contains(&"unreachable").then_some(shown)
    })
    .await;
    let id = cluster.status(leader).await.unwrap();
    let id = id.members.iter().find(|member| member.name == gone_name).unwrap().id.to_string();
    assert_eq!(line(&shown, &gone_name)[1..4], [&*id, "voter", "unreachable"], "{}", shown.stdout);
    let json = told(cluster.node(leader), &["status", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let lost =
        json["members"].as_array().unwrap().iter().find(|member| member["name"] == *gone_name).unwrap();
    assert_eq!(
        (lost["role"].as_str(), lost["health"].as_str()),
        (Some("voter"), Some("unreachable")),
        "{json}"
    );
    assert!(lost["last_contact_ms"].as_u64().is_some_and(|ago| ago > 0), "{json}");

    let removed = told(cluster.node(other), &["remove", &gone_name]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(line(&removed, &gone_name), [""; 0], "{}", removed.stdout);
    assert_eq!(cluster.status(leader).await.unwrap().members.len(), 2);
}

#[tokio::test]
async fn a_member_that_was_removed_says_once_what_to_do() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let out = (leader + 1) % 3;
    let id = cluster.status(out).await.unwrap().this.unwrap().id.to_string();
    let removed = told(cluster.node(leader), &["remove", &id]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let page = eventually("it says that it was removed", async || {
        let page = cluster.node(out).get("/readyz?verbose").await;
        page.body.contains("raft: this node was removed from its cluster").then_some(page)
    })
    .await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("`cluster leave`") && page.body.contains("`cluster join`"), "{}", page.body);
    let term = cluster.status(out).await.unwrap().term;
    eventually("it has stood for election for some seconds", async || {
        (cluster.status(out).await?.term > term + 3).then_some(())
    })
    .await;
    let shown = told(cluster.node(out), &["status"]).await;
    assert!(shown.stdout.contains("was removed from its cluster"), "{}", shown.stdout);

    let (seed, node) = (cluster.node(leader).grpc(), cluster.node(out));
    let left = told(node, &["leave"]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    let joined = told(node, &["join", seed]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    eventually("it is ready", async || (node.get("/readyz").await.status == 200).then_some(())).await;

    let log = cluster.kill(out).await.stderr;
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    let what_to_do = warnings.iter().filter(|line| line.contains("was removed from its cluster")).count();
    assert_eq!(what_to_do, 1, "{log}");
    assert!(warnings.len() < 6, "{log}");
}

#[tokio::test]
async fn a_leader_without_a_majority_is_read_from_and_cannot_leave() {
    survivor(true).await;
}

#[tokio::test]
async fn a_follower_without_a_majority_is_read_from_and_cannot_leave() {
    survivor(false).await;
}

/// How soon a node answers by itself.
const SOON: Duration = Duration::from_secs(5);

/// Two of three are gone for good; the one that is left has led, or not.
async fn survivor(led: bool) {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let left = if led { leader } else { (leader + 1) % 3 };
    let put = PutRequest { key: "colour".to_owned(), value: "blue".into(), ..PutRequest::default() };
    KvClient::new(connect(cluster.node(leader).grpc()).await).put(put).await.unwrap();
    cluster.caught_up(left).await;
    cluster.kill((left + 1) % 3).await;
    cluster.kill((left + 2) % 3).await;
    let node = cluster.node(left);
    let kv = KvClient::new(connect(node.grpc()).await);

    let get = |stale| GetRequest { key: "colour".to_owned(), stale };
    let found = kv.get(get(true)).timeout(SOON).await.unwrap().item.unwrap();
    assert_eq!(found.value, "blue");
    let list = ListRequest { prefix: "col".to_owned(), stale: true, ..ListRequest::default() };
    let listed = kv.list(list).timeout(SOON).await.unwrap();
    assert_eq!((listed.items.len(), listed.revision), (1, found.revision));
    let missing = GetRequest { key: "shape".to_owned(), stale: true };
    assert_eq!(kv.get(missing).await.unwrap_err().code(), Code::NotFound);
    let refused = kv.get(get(false)).timeout(Duration::from_secs(1)).await.unwrap_err().code();
    assert!(matches!(refused, Code::Unavailable | Code::DeadlineExceeded), "{refused:?}");

    let refused = told(node, &["init"]).await;
    assert_eq!(refused.code, 64 + 6, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("already in a cluster of 3 members; nothing was done"),
        "{}",
        refused.stderr
    );
    let before = cluster.status(left).await.unwrap();
    let begun = Instant::now();
    let refused = told(node, &["leave"]).await;
    assert_eq!(refused.code, 64 + 14, "{}", refused.stderr);
    assert!(refused.stderr.contains("nothing was done: "), "{}", refused.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    if led {
        let gone = format!("node-{}", (left + 1) % 3);
        let refused = told(node, &["remove", &gone]).await;
        assert_eq!(refused.code, 64 + 14, "{}", refused.stderr);
        let why = format!("of 3 voters, only node-{left} answered");
        assert!(
            refused.stderr.contains("nothing was done: ") && refused.stderr.contains(&why),
            "{}",
            refused.stderr
        );
    }
    let after = cluster.status(left).await.unwrap();
    let log = |seen: &StatusResponse| (seen.members.len(), seen.last_log_index);
    assert_eq!(log(&after), log(&before), "nothing waits for the others to come back");
    let found = kv.get(get(true)).timeout(SOON).await.unwrap().item.unwrap();
    assert_eq!(found.value, "blue");
}
