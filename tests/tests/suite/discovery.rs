//! Clients that know one target, and learn the others from its directory.

use std::collections::BTreeMap;

use polywire::{Channel, Code, Status, policy::Policy};
use polywire_proto::{
    cluster::v1::StatusRequest,
    directory::v1::{ListRequest, ListResponse, Service},
};
use polywire_services::{directory::DirectoryClient, health::HealthClient, raft::ClusterClient};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    node::{Node, run},
    patience::eventually,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use crate::{
    node::{ask, connect},
    raft::cluster::{Cluster, cluster_command},
};

/// The name of the member that answers.
async fn who(channel: &Channel) -> Result<String, Status> {
    let status = ClusterClient::new(channel.clone()).status(StatusRequest::default()).await?;
    Ok(status.this.unwrap().name)
}

/// How many of so many calls each member has answered.
async fn spread(channel: &Channel, calls: u32) -> BTreeMap<String, u32> {
    let mut spread = BTreeMap::new();
    for _ in 0..calls {
        *spread.entry(who(channel).await.unwrap()).or_default() += 1;
    }
    spread
}

/// Makes calls until these members answer, and no others.
async fn answered_by(channel: &Channel, members: &[&str]) {
    eventually("these members answer", async || spread(channel, 30).await.keys().eq(members).then_some(()))
        .await;
}

async fn list(target: &str, members: bool) -> ListResponse {
    DirectoryClient::new(connect(target).await).list(ListRequest { members }).await.unwrap()
}

fn find<'a>(services: &'a [Service], name: &str) -> &'a Service {
    services.iter().find(|service| service.name == name).unwrap()
}

#[tokio::test]
async fn one_seed_reaches_a_whole_cluster_and_whoever_dies_moves_joins_or_leaves_is_followed() {
    let mut cluster = Cluster::start(&[]).await;
    let channel = Channel::cluster(cluster.node(1).grpc()).connect().await.unwrap();
    // One that was slow for a moment has its share a little later.
    let mut answered = BTreeMap::new();
    eventually("each has its share", async || {
        for (name, calls) in spread(&channel, 30).await {
            *answered.entry(name).or_insert(0) += calls;
        }
        (answered.len() == 3 && answered.values().all(|calls| *calls >= 10)).then_some(())
    })
    .await;

    cluster.kill(2).await;
    let two = spread(&channel, 50).await;
    assert!(!two.contains_key("node-2"), "{two:?}");
    cluster.restart(2).await;
    answered_by(&channel, &["node-0", "node-1", "node-2"]).await;

    // Once the others are known, the seed is not needed.
    cluster.kill(1).await;
    spread(&channel, 50).await;
    let joining = Node::start(&["--node.name=node-3"]).await;
    let joined = eventually("there is a leader again", async || {
        let joined = cluster_command(&["join", cluster.node(0).grpc(), "--node", joining.grpc()]).await;
        (joined.code == 0).then_some(joined)
    });
    joined.await;
    answered_by(&channel, &["node-0", "node-2", "node-3"]).await;

    let left = cluster_command(&["leave", "--node", joining.grpc()]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    answered_by(&channel, &["node-0", "node-2"]).await;
    // One that is slow may be passed over before it is known that it has left.
    eventually("the channel knows who has left", async || {
        let told = channel.explain()?;
        let names: Vec<_> = told.members.iter().map(|member| member.name.as_str()).collect();
        (!names.contains(&"node-3") && names.contains(&"node-0")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_no_member_has_is_unimplemented_and_nobody_is_called() {
    let node = Node::start(&["--node.name=alone"]).await;
    let channel = Channel::cluster(node.grpc()).connect().await.unwrap();
    let refused = InventoryClient::new(channel).get(GetRequest::named("anvil")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.is_not_processed());
    let expected = "no member of the cluster serves inventory.v1.Inventory; its members are alone";
    assert_eq!(refused.message(), expected);
}

#[tokio::test]
async fn a_node_that_is_known_by_its_grpc_target_is_called_over_iroh() {
    let node = Node::start(&[]).await;
    let policy = Policy::default().prefer(["iroh"]);
    let channel = Channel::builder().discover(node.grpc()).policy(policy).connect().await.unwrap();
    let client = HealthClient::new(channel.clone());
    client.check(ask("")).await.unwrap();
    eventually("calls take Iroh", async || {
        client.check(ask("")).await.unwrap();
        // Which services were called is known anew once more transports are.
        let services = channel.explain().unwrap().services;
        services.iter().any(|service| service.taken == "iroh").then_some(())
    })
    .await;
    let told = channel.explain().unwrap();
    let targets: Vec<_> = told.subchannels.iter().map(|route| route.target.as_str()).collect();
    assert_eq!(targets, [node.grpc(), node.iroh()]);
}

#[tokio::test]
async fn a_service_that_is_retired_on_the_known_transport_is_called_over_the_learnt_one() {
    let flags =
        ["--transport.strategy.fallback_to_grpc=false", "--transport.strategy.retired_on_grpc=health"];
    let node = Node::start(&flags).await;
    let channel = Channel::builder().discover(node.grpc()).connect().await.unwrap();
    let client = HealthClient::new(channel.clone());
    eventually("health is found", async || client.check(ask("")).await.ok()).await;
    let explained = channel.explain().unwrap();
    let health = explained.services.iter().find(|service| service.name == "grpc.health.v1.Health").unwrap();
    assert_eq!(health.taken, "iroh", "{explained}");
}

#[tokio::test]
async fn a_plain_tonic_server_is_called_at_the_target_that_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(Stock::new().server().into_grpc());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let discovered = Channel::builder().discover(target.as_str()).connect().await.unwrap();
    let cluster = Channel::cluster(target.as_str()).connect().await.unwrap();
    for channel in [discovered, cluster] {
        let client = InventoryClient::new(channel);
        for _ in 0..3 {
            assert_eq!(client.get(GetRequest::named("anvil")).await.unwrap(), Item::named("anvil"));
        }
    }
}

#[tokio::test]
async fn a_directory_tells_versions_schemas_and_addresses_and_answers_for_the_other_members() {
    let mut cluster = Cluster::start(&["--transport.iroh.alpn_protocols=blixard/health/1"]).await;
    let listed = list(cluster.node(0).grpc(), true).await;
    assert!(listed.ttl_ms > 0);
    let node = listed.node.unwrap();
    assert_eq!((node.name.as_str(), node.id.as_str()), ("node-0", &*cluster.node(0).targets.node_id));
    let health = find(&listed.services, "grpc.health.v1.Health");
    assert_eq!(health.version, "v1");
    let endpoints: Vec<_> = health
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.target.as_str(), endpoint.alpns.join(" ")))
        .collect();
    let expected = [
        (cluster.node(0).grpc(), String::new()),
        (cluster.node(0).iroh(), "polywire/1 blixard/health/1".to_owned()),
    ];
    assert_eq!(endpoints, expected);
    let directory = find(&listed.services, "polywire.directory.v1.Directory");
    assert_eq!(directory.endpoints[1].alpns, ["polywire/1"], "the other name does not lead there");
    assert_ne!(directory.fingerprint, health.fingerprint);

    let members = listed.cluster.unwrap().members;
    let mut names: Vec<_> =
        members.iter().map(|member| member.node.as_ref().unwrap().name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["node-1", "node-2"]);
    for member in &members {
        assert!(member.reached, "{}", member.failure);
        let own = find(&member.services, "grpc.health.v1.Health");
        assert_eq!(own.fingerprint, health.fingerprint, "two nodes with the same schema");
        assert_ne!(own.endpoints, health.endpoints);
    }

    cluster.kill(2).await;
    let gone = eventually("it is not reached", async || {
        let members = list(cluster.node(0).grpc(), true).await.cluster?.members;
        members.into_iter().find(|member| !member.reached)
    })
    .await;
    assert_eq!(gone.node.unwrap().name, "node-2");
    assert!(!gone.failure.is_empty());
    assert!(!gone.services.is_empty(), "what was known of it");
}

#[tokio::test]
async fn services_shows_what_the_other_members_serve() {
    let cluster = Cluster::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let shown = run(directory.path(), &["services", cluster.node(0).grpc(), "--members", "--json"]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["node"]["name"], "node-0");
    let health = |services: &Value| {
        let mut services = services.as_array().unwrap().iter();
        services.find(|service| service["service"] == "grpc.health.v1.Health").unwrap().clone()
    };
    let own = health(&shown["services"]);
    assert_eq!(
        (&own["version"], &own["endpoints"][0]["target"]),
        (&"v1".into(), &cluster.node(0).grpc().into())
    );
    let members = shown["members"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    for member in members {
        assert_eq!(member["reached"], true);
        assert_eq!(health(&member["services"])["fingerprint"], own["fingerprint"]);
    }
    let plain = run(directory.path(), &["services", cluster.node(0).iroh(), "--json"]).await;
    let plain: Value = serde_json::from_str(&plain.stdout).unwrap();
    assert_eq!(health(&plain)["fingerprint"], own["fingerprint"], "{plain}");
    let table = run(directory.path(), &["services", cluster.node(0).grpc(), "--members", "-v"]).await;
    for expected in ["member node-1 (", "grpc.health.v1.Health v1, schema ", cluster.node(2).iroh()] {
        assert!(table.stdout.contains(expected), "{expected} is not in {}", table.stdout);
    }
}
