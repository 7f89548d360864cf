//! Tokens in a cluster of three: what one member issues, counts or revokes is so at all of them.

use std::time::Duration;

use polywire::Code;
use polywire_proto::kv::v1::GetRequest;
use polywire_services::raft::KvClient;
use polywire_tests::patience::eventually;
use tokio::time::timeout;

use super::{GET, NOT_FOUND, UNAUTHENTICATED, call_with, id, invite, line};
use crate::{node::connect, raft::cluster::Cluster};

/// How long a revocation may take at every member, from the end of the command on.
const EVERYWHERE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn every_member_takes_a_token_of_one_and_refuses_it_within_a_second_of_its_revocation() {
    let cluster = Cluster::start(&[]).await;
    let mut clients = Vec::new();
    for place in 0..3 {
        clients.push(KvClient::new(connect(cluster.target(place)).await));
    }
    let code = async |place: usize, token: &str| {
        let get = clients[place].get(GetRequest { key: "none".to_owned(), ..GetRequest::default() });
        get.metadata("authorization", format!("Bearer {token}")).await.unwrap_err().code()
    };
    // Issued at each member, and revoked at each.
    for place in 0..3 {
        let token = invite(&cluster.data_dir(place), &["--method", GET]).await;
        for member in 0..3 {
            assert_eq!(code(member, &token).await, Code::NotFound, "{member}");
        }
        let revoke = ["access", "revoke", &id(&token).await, "--node", cluster.target((place + 1) % 3)];
        line(&revoke).await;
        let everywhere = async {
            for member in 0..3 {
                let refused = async || (code(member, &token).await == Code::Unauthenticated).then_some(());
                eventually("the token is refused", refused).await;
            }
        };
        timeout(EVERYWHERE, everywhere).await.expect("it is refused by all members in time");
    }
}

#[tokio::test]
async fn uses_are_counted_once_in_the_cluster_and_survive_the_leader() {
    let mut cluster = Cluster::start(&[]).await;
    let token = invite(&cluster.data_dir(0), &["--method", GET, "--uses", "4"]).await;
    for place in 0..3 {
        let called = call_with(&token, cluster.target(place), GET).await;
        assert_eq!(called.code, NOT_FOUND, "{place}: {}", called.stderr);
    }
    let leader = cluster.leader().await;
    cluster.kill(leader).await;
    let others: Vec<_> = (0..3).filter(|place| *place != leader).collect();
    cluster.leader_of(&others).await;
    assert_eq!(call_with(&token, cluster.target(others[0]), GET).await.code, NOT_FOUND);
    for place in others {
        let refused = call_with(&token, cluster.target(place), GET).await;
        assert_eq!(refused.code, UNAUTHENTICATED, "{place}: {}", refused.stderr);
        assert!(refused.stderr.contains("good for 4 calls"), "{place}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn the_records_of_tokens_are_no_keys_of_users() {
    let cluster = Cluster::start(&[]).await;
    let token = invite(&cluster.data_dir(0), &["--method", GET]).await;
    let record = format!(r#"{{"key":"\u0000polywire/tokens/{}"}}"#, id(&token).await);
    for (method, request) in [
        (GET, &*record),
        (super::PUT, &record),
        ("polywire.kv.v1.Kv/Delete", &record),
        ("polywire.kv.v1.Kv/List", r#"{"prefix":"\u0000polywire/"}"#),
    ] {
        let refused = polywire_tests::node::call(&[cluster.target(0), method, request]).await;
        assert_eq!(refused.code, 64 + 3, "{method}: {}{}", refused.stdout, refused.stderr);
    }
    let listed = polywire_tests::node::call(&[cluster.target(0), "polywire.kv.v1.Kv/List", "{}"]).await;
    assert!(listed.code == 0 && !listed.stdout.contains("tokens"), "{}", listed.stdout);
}
