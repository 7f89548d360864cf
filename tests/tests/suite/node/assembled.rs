//! Nodes that a program assembles from the crate of the built-in services: without a cluster, and with one.

use std::{error::Error, process::Command};

use polywire::{Code, Context, NodeBuilder, NodeError, Status, Streaming, Targets, config::Loader};
use polywire_proto::{
    cluster::v1 as cluster,
    directory::v1::ListRequest,
    grpc::{
        health::v1::health_check_response::ServingStatus,
        reflection::v1::{
            ServerReflectionRequest, server_reflection_request::MessageRequest,
            server_reflection_response::MessageResponse,
        },
    },
    kv::v1::{GetRequest, PutRequest},
    monitoring::v1 as monitoring,
    raft::v1::VoteRequest,
    status::v1::{GetClusterStatusRequest, GetRaftStatusRequest, MemberHealth, Role, WatchClusterRequest},
};
use polywire_services::{
    directory::DirectoryClient,
    monitoring::MonitoringClient,
    raft::{ClusterClient, KvClient, RaftClient},
    reflection::ServerReflectionClient,
    status::StatusClient,
};
use polywire_tests::{
    node::get,
    patience::{eventually, within},
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{connect, health};

/// The services of a node without a cluster.
const OWN: [&str; 8] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "polywire.access.v1.Access",
    "polywire.directory.v1.Directory",
    "polywire.health.v1.Health",
    "polywire.monitoring.v1.Monitoring",
    "polywire.status.v1.Status",
];

/// A node in this process.
struct Assembled {
    targets: Targets,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), NodeError>>,
    _data: tempfile::TempDir,
}

impl Assembled {
    async fn start(builder: NodeBuilder, flags: &[(&str, &str)]) -> Result<Self, NodeError> {
        let data = tempfile::tempdir().unwrap();
        let mut loader = Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("node.drain_delay", "0s")
            .flag("node.data_dir", data.path().to_str().unwrap());
        for (key, value) in flags {
            loader = loader.flag(*key, *value);
        }
        let node = builder.config(loader.load().unwrap().config).bind().await?;
        let targets = node.targets().clone();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(node.serve(async {
            let _ = stopped.await;
        }));
        Ok(Self { targets, stop, serving, _data: data })
    }

    fn target(&self, transport: &str) -> &str {
        self.targets.get(transport).unwrap()
    }

    /// A page of the HTTP side.
    async fn page(&self, path: &str) -> (u16, String) {
        let http = self.targets.http.as_deref().unwrap().trim_start_matches("http://");
        let page = get(http, path, "*/*").await.unwrap();
        (page.status, page.body)
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        within(self.serving).await.unwrap().unwrap();
    }
}

/// What reflection lists.
async fn reflected(target: &str) -> Vec<String> {
    let client = ServerReflectionClient::new(connect(target).await);
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let question = ServerReflectionRequest { message_request, ..ServerReflectionRequest::default() };
    let mut answers = client.server_reflection_info(Streaming::once(question)).await.unwrap();
    match within(answers.message()).await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("expected a list of services, found {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_cluster_reports_on_itself_over_every_transport() {
    let node = Assembled::start(polywire_services::node(), &[("node.name", "lone")]).await.unwrap();
    for target in ["grpc", "iroh"].map(|transport| node.target(transport)) {
        let channel = connect(target).await;
        assert_eq!(health(target, "").await.unwrap(), ServingStatus::Serving, "{target}");
        assert_eq!(health(target, "polywire.status.v1.Status").await.unwrap(), ServingStatus::Serving);
        assert_eq!(reflected(target).await, OWN, "{target}");

        let directory = DirectoryClient::new(channel.clone());
        let listed = directory.list(ListRequest { members: true }).await.unwrap();
        let names: Vec<_> = listed.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, OWN, "{target}");
        assert!(listed.services.iter().all(|service| !service.endpoints.is_empty()), "{listed:?}");
        let own = listed.node.unwrap();
        assert_eq!((own.name.as_str(), own.id.as_str()), ("lone", node.targets.node_id.as_str()));
        assert_eq!(listed.cluster, None, "{target}");

        let status = StatusClient::new(channel.clone());
        let seen = status.get_cluster_status(GetClusterStatusRequest {}).await.unwrap();
        let [this] = &seen.nodes[..] else { panic!("one node: {seen:?}") };
        assert_eq!((seen.leader_id, seen.term, seen.seen_by), (None, 0, this.id));
        assert_eq!((this.name.as_str(), this.role()), ("lone", Role::Unspecified));
        assert_eq!(this.health(), MemberHealth::Ok);
        assert_eq!(this.iroh_endpoint_id, node.targets.node_id);
        assert_eq!(format!("grpc://{}", this.grpc_address), node.target("grpc"));
        let raft = status.get_raft_status(GetRaftStatusRequest {}).await.unwrap_err();
        assert_eq!(raft.code(), Code::Unimplemented, "{raft}");
        assert!(raft.message().contains("no cluster"), "{raft}");

        let client = MonitoringClient::new(channel.clone());
        let cluster = client.get_cluster_health(monitoring::GetClusterHealthRequest {}).await.unwrap();
        assert_eq!((cluster.healthy, cluster.peers, cluster.reasons), (true, vec![], vec![]));
        let machine = client.get_system_info(monitoring::GetSystemInfoRequest {}).await.unwrap();
        assert!(machine.process.unwrap().pid > 0 && machine.data_disk.is_some());
        let text = client.get_metrics(monitoring::GetMetricsRequest {}).await.unwrap().text;
        assert!(text.contains("polywire_server_calls_total") && !text.contains("polywire_raft"), "{text}");
        let mut vitals = client.watch_vitals(monitoring::WatchVitalsRequest::default()).await.unwrap();
        assert!(within(vitals.message()).await.unwrap().unwrap().process.is_some());
        let traffic = client.get_traffic(monitoring::GetTrafficRequest::default()).await.unwrap();
        assert!(traffic.methods.iter().any(|method| method.method == "GetMetrics"), "{traffic:?}");

        let refusals: [Status; 3] = [
            RaftClient::new(channel.clone()).vote(VoteRequest::default()).await.unwrap_err(),
            KvClient::new(channel.clone()).get(GetRequest::default()).await.unwrap_err(),
            ClusterClient::new(channel).status(cluster::StatusRequest::default()).await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.code(), Code::Unimplemented, "{target}: {refusal}");
        }
    }
    assert_eq!(node.page("/readyz").await.0, 200);
    let (code, metrics) = node.page("/metrics").await;
    assert!(code == 200 && metrics.contains("polywire_server_calls_total"), "{metrics}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_a_node_without_a_cluster_ends_when_the_node_drains() {
    let node = Assembled::start(polywire_services::node(), &[]).await.unwrap();
    let status = StatusClient::new(connect(node.target("grpc")).await);
    let mut watch = status.watch_cluster(WatchClusterRequest {}).await.unwrap();
    assert_eq!(within(watch.message()).await.unwrap().unwrap().nodes.len(), 1);
    node.stop().await;
    assert_eq!(within(watch.message()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_the_cluster_has_raft_and_the_store_and_the_same_services_tell_of_them() {
    let builder = polywire_services::node().with(polywire_services::cluster());
    let node = Assembled::start(builder, &[]).await.unwrap();
    let channel = connect(node.target("grpc")).await;
    let names = reflected(node.target("grpc")).await;
    for service in ["polywire.cluster.v1.Cluster", "polywire.kv.v1.Kv", "polywire.raft.v1.Raft"] {
        assert!(names.iter().any(|name| name == service), "{names:?}");
    }
    assert!(OWN.iter().all(|own| names.iter().any(|name| name == own)), "{names:?}");
    let kv = KvClient::new(channel.clone());
    let put = PutRequest { key: "colour".to_owned(), value: "green".into(), ..PutRequest::default() };
    kv.put(put).context(&Context::new()).await.unwrap();
    let got = kv.get(GetRequest { key: "colour".to_owned(), stale: false }).await.unwrap();
    assert_eq!(got.item.unwrap().value, "green");

    let status = StatusClient::new(channel.clone());
    let seen = eventually("it leads its cluster", async || {
        let seen = status.get_cluster_status(GetClusterStatusRequest {}).await.ok()?;
        seen.leader_id.is_some().then_some(seen)
    })
    .await;
    assert_eq!((seen.leader_id, seen.nodes[0].role()), (Some(seen.seen_by), Role::Leader));
    let raft = status.get_raft_status(GetRaftStatusRequest {}).await.unwrap();
    assert_eq!((raft.node_id, raft.state()), (seen.seen_by, Role::Leader));
    let listed = DirectoryClient::new(channel.clone()).list(ListRequest { members: true }).await.unwrap();
    assert!(!listed.cluster.unwrap().id.is_empty());
    let health = MonitoringClient::new(channel);
    let health = health.get_cluster_health(monitoring::GetClusterHealthRequest {}).await.unwrap();
    assert!(health.healthy, "{:?}", health.reasons);
    assert!(node.page("/readyz?verbose").await.1.contains("raft"), "health tells of the cluster");
    node.stop().await;
}

#[tokio::test]
async fn a_node_without_a_cluster_that_is_given_peers_does_not_start() {
    let peers = [("cluster.peers", "grpc://127.0.0.1:1,grpc://127.0.0.1:2")];
    let error = Assembled::start(polywire_services::node(), &peers).await.map(drop).unwrap_err();
    let why = error.source().unwrap().to_string();
    assert_eq!(error.to_string(), "the node's cluster membership cannot start");
    assert!(
        why.starts_with("invalid cluster.peers: 2 set, and this node has no cluster; expected "),
        "{why}"
    );
}

/// The crates that `polywire-services` takes with these features, as cargo resolves them.
fn crates(features: &str) -> Vec<String> {
    let mut tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tree.args(["tree", "--locked", "--offline", "--package=polywire-services", "--edges=normal,build"]);
    tree.args(["--prefix=none", "--format={p}", "--no-default-features", "--features", features]);
    let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> =
        lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn a_node_without_the_cluster_compiles_neither_openraft_nor_redb() {
    let (without, with) = (crates("grpc,iroh,memory,quic,unix,websocket"), crates("grpc,cluster"));
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    assert!(has(&without, "polywire-services") && has(&without, "tonic"), "{without:?}");
    for name in ["openraft", "redb"] {
        assert!(has(&with, name), "{with:?}");
        assert!(!has(&without, name), "{without:?}");
    }
}
