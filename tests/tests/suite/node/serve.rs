use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use polywire::{Code, iroh::Dialer};
use polywire_proto::{
    cluster::v1::StatusRequest,
    grpc::health::v1::health_check_response::ServingStatus,
    kv::v1::{GetRequest, PutRequest},
};
use polywire_services::{
    directory::DirectoryClient,
    health::HealthClient,
    raft::{ClusterClient, KvClient},
};
use polywire_tests::{
    endpoint,
    node::{FREE_PORTS, Node, binary, run},
    patience::eventually,
};
use rustix::process::Signal;
use tokio::process::Command;

use super::{ask, connect, health, status};

/// The example of the founding document, word for word.
const FOUNDING: &str = r#"[transport]
mode = "dual"

[transport.grpc]
bind_address = "0.0.0.0:7001"
max_message_size = 4194304
tls_enabled = false

[transport.iroh]
enabled = true
home_relay = "https://relay.iroh.network"
discovery_port = 0
alpn_protocols = ["blixard/health/1", "blixard/status/1", "blixard/monitoring/1"]

[transport.strategy]
prefer_iroh_for = ["health", "status", "monitoring"]
raft_transport = "always_grpc"
fallback_to_grpc = true
"#;

#[tokio::test]
async fn the_one_line_on_stdout_names_targets_that_work() {
    let node = Node::start(&[]).await;
    assert!(node.grpc().starts_with("grpc://127.0.0.1:"), "{}", node.grpc());
    assert!(node.iroh().starts_with(&format!("iroh://{}?addr=127.0.0.1:", node.targets.node_id)));
    for target in [node.grpc(), node.iroh()] {
        assert_eq!(health(target, "").await.unwrap(), ServingStatus::Serving, "{target}");
        assert_eq!(health(target, "grpc.health.v1.Health").await.unwrap(), ServingStatus::Serving);
        assert_eq!(health(target, "nobody").await.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(node.get("/livez").await.status, 200);
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert_eq!(end.stdout, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_founding_example_starts_offline_in_under_two_seconds_and_every_alpn_of_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    fs::write(&file, FOUNDING).unwrap();
    let config = format!("--config={}", file.display());
    // The addresses alone are others, for tests run side by side.
    let flags = [&config, "--transport.grpc.bind_address=0.0.0.0:0", "--http.bind_address=127.0.0.1:0"];
    let mut quickest = u128::MAX;
    let mut started = None;
    // The machine may be busy once; it is not busy three times.
    for _ in 0..3 {
        let begun = Instant::now();
        started = Some(Node::start_with(Command::new(binary()), flags).await);
        quickest = quickest.min(begun.elapsed().as_millis());
        if quickest < 2_000 {
            break;
        }
    }
    let node = started.unwrap();
    assert!(quickest < 2_000, "{quickest} ms");
    assert_eq!(health(node.grpc(), "").await.unwrap(), ServingStatus::Serving);
    assert_eq!(health(node.iroh(), "").await.unwrap(), ServingStatus::Serving);

    let (id, query) = node.iroh().strip_prefix("iroh://").unwrap().split_once('?').unwrap();
    let address = query.split('&').find_map(|part| part.strip_prefix("addr=")).unwrap();
    let address = iroh::EndpointAddr::from_parts(
        id.parse().unwrap(),
        [iroh::TransportAddr::Ip(address.parse().unwrap())],
    );
    let dialer = Dialer::new(endpoint::plain().await);
    let peer = dialer.peer_with_alpns(address.clone(), ["blixard/health/1"]);
    let answer = HealthClient::new(peer.clone()).check(ask("")).await.unwrap();
    assert_eq!(status(&answer), ServingStatus::Serving);
    let refused = DirectoryClient::new(peer).list(Default::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    for alpn in ["blixard/status/1", "blixard/monitoring/1"] {
        let peer = dialer.peer_with_alpns(address.clone(), [alpn]);
        assert_eq!(peer.connection().await.unwrap().alpn(), alpn.as_bytes());
    }
}

#[tokio::test]
async fn the_founding_example_forms_a_cluster_with_two_more_and_survives_its_leader() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    fs::write(&file, FOUNDING).unwrap();
    let config = format!("--config={}", file.display());
    let flags = [&*config, "--transport.grpc.bind_address=0.0.0.0:0", "--http.bind_address=127.0.0.1:0"];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start_with(Command::new(binary()), flags).await);
    }
    for node in &nodes[1..] {
        let join = ["cluster", "join", nodes[0].grpc(), "--node", node.grpc()];
        let joined = run(Path::new("/"), &join).await;
        assert_eq!(joined.code, 0, "{}", joined.stderr);
    }
    let put = |value: &str| PutRequest {
        key: "a".to_owned(),
        value: value.to_owned().into(),
        ..Default::default()
    };
    KvClient::new(connect(nodes[2].grpc()).await).put(put("first")).await.unwrap();
    let cluster = ClusterClient::new(connect(nodes[0].grpc()).await);
    let status = cluster.status(StatusRequest::default()).await.unwrap();
    assert_eq!(status.members.iter().filter(|member| member.voter).count(), 3, "{status:?}");
    let leader = status.leader_id.unwrap();
    let leads = |node: &Node| node.targets.node_id.starts_with(&format!("{leader:016x}"));
    let leader = nodes.iter().position(leads).unwrap();
    nodes.remove(leader).kill().await;
    let kv = KvClient::new(connect(nodes[1].grpc()).await);
    eventually("the two others go on", async || {
        kv.put(put("second")).timeout(Duration::from_secs(3)).await.ok()
    })
    .await;
    let kv = KvClient::new(connect(nodes[0].grpc()).await);
    let got = kv.get(GetRequest { key: "a".to_owned(), ..Default::default() }).await.unwrap();
    assert_eq!(got.item.unwrap().value, "second");
}

#[tokio::test]
async fn each_mode_serves_what_it_names_and_nothing_else() {
    let node = Node::start(&["--transport.mode=grpc"]).await;
    assert_eq!((node.targets.iroh.as_deref(), health(node.grpc(), "").await.is_ok()), (None, true));
    let node = Node::start(&["--transport.mode=iroh"]).await;
    assert_eq!((node.targets.grpc.as_deref(), health(node.iroh(), "").await.is_ok()), (None, true));
    let node = Node::start(&["--transport.iroh.enabled=false", "--http.enabled=false"]).await;
    assert_eq!((node.targets.iroh.as_deref(), node.targets.http.as_deref()), (None, None));
    assert!(health(node.grpc(), "").await.is_ok());
}

#[tokio::test]
async fn a_service_retired_on_grpc_answers_on_iroh_alone() {
    let node = Node::start(&[
        "--transport.strategy.fallback_to_grpc=false",
        "--transport.strategy.retired_on_grpc=health",
    ])
    .await;
    assert_eq!(health(node.grpc(), "").await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(health(node.iroh(), "").await.unwrap(), ServingStatus::Serving);
}

#[tokio::test]
async fn limits_of_the_configuration_hold() {
    let node =
        Node::start(&["--transport.grpc.max_message_size=1000", "--transport.iroh.max_message_size=2000"])
            .await;
    let name = |length: usize| "x".repeat(length);
    assert_eq!(health(node.grpc(), &name(1_001)).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(health(node.grpc(), &name(900)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(health(node.iroh(), &name(2_001)).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(health(node.iroh(), &name(1_900)).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Node::start(&[]).await;
    let grpc = holder.grpc_address();
    for (key, address, other) in [
        ("transport.grpc.bind_address", grpc, FREE_PORTS[1]),
        (
            "http.bind_address",
            holder.targets.http.as_deref().unwrap().trim_start_matches("http://"),
            FREE_PORTS[0],
        ),
    ] {
        let flag = format!("--{key}={address}");
        let finished = run(directory.path(), &["serve", "--json", &flag, other]).await;
        assert_eq!((finished.code, finished.stdout.as_str()), (1, ""));
        assert!(finished.stderr.contains(key) && finished.stderr.contains(address), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn an_interrupt_ends_it_as_a_termination_does() {
    let node = Node::start(&[]).await;
    node.signal(Signal::INT);
    let end = node.ended().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

#[tokio::test]
async fn logs_go_to_stderr_alone_and_are_json_if_asked_for() {
    let node = Node::start(&["--log.format=json", "--log.filter=debug"]).await;
    health(node.grpc(), "").await.unwrap();
    let end = node.terminate().await;
    assert_eq!(end.stdout, [""; 0]);
    assert!(end.stderr.lines().count() > 0);
    for line in end.stderr.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
}
