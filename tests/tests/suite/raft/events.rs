//! What the log tells of a cluster's life.

use serde_json::{Value, json};

use super::cluster::{Cluster, cluster_command};

/// The lines of a log at INFO and above that say this, each as its fields.
fn said(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test]
async fn elections_and_members_that_come_go_and_are_lost_are_a_line_each() {
    let mut cluster = Cluster::start(&["--log.format=json"]).await;
    let leader = cluster.leader().await;
    let old = cluster.kill(leader).await.stderr;
    let next = cluster.leader().await;
    let term = cluster.status(next).await.unwrap().term;
    cluster.restart(leader).await;
    cluster.caught_up(leader).await;
    let other = 3 - leader - next;
    let left = cluster_command(&["leave", "--node", cluster.node(other).grpc()]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    let [next_name, other_name, old_name] = [next, other, leader].map(|place| format!("node-{place}"));
    let next_log = cluster.kill(next).await.stderr;
    let other_log = cluster.kill(other).await.stderr;

    let elected = said(&next_log, "this node was elected leader");
    let elected = elected.iter().find(|line| line["term"] == term).unwrap_or_else(|| panic!("{next_log}"));
    assert_eq!((&elected["leader"], &elected["level"]), (&json!(next_name), &json!("INFO")), "{elected}");
    let votes = elected["votes"].as_str().unwrap();
    assert!(votes.contains(&next_name) && votes.contains(&other_name), "{elected}");
    let follows = said(&other_log, "this node follows a leader");
    assert!(follows.iter().any(|line| line["leader"] == *next_name && line["term"] == term), "{other_log}");
    for message in ["a member is unreachable", "a member is reachable again"] {
        let told = said(&next_log, message);
        assert!(told.iter().any(|line| line["name"] == *old_name), "{message}: {next_log}");
    }

    let gone = said(&next_log, "a member has left the cluster");
    let gone: Vec<_> = gone.iter().map(|line| line["member"].as_str().unwrap()).collect();
    assert_eq!(gone, [&*other_name], "{next_log}");
    assert_eq!(said(&other_log, "this node has left its cluster, and is one of its own now").len(), 1);

    let first = [(leader, &old), (next, &next_log), (other, &other_log)];
    for (place, log) in first {
        assert_eq!(
            said(log, "this node is a member of a cluster now").len(),
            usize::from(place != 0),
            "{log}"
        );
    }
    let (_, first) = first.into_iter().find(|(place, _)| *place == 0).unwrap();
    assert!(!said(first, "this node has formed a cluster").is_empty(), "{first}");
    let joined: Vec<_> = said(first, "a member has joined the cluster");
    let joined: Vec<_> = joined.iter().map(|line| line["member"].as_str().unwrap()).collect();
    assert_eq!(joined, ["node-1", "node-2"], "{first}");
}
