//! What a node says of its cluster, its health and its machine.

use polywire::{ConnectOptions, Target};
use polywire_proto::{
    blixard as old,
    health::v1::DetailRequest,
    monitoring::v1::{GetClusterHealthRequest, GetMetricsRequest, GetSystemInfoRequest, WatchVitalsRequest},
    raft::v1::{AppendEntriesRequest, LogId, Vote},
    status::v1::{GetClusterStatusRequest, GetRaftStatusRequest, Role, WatchClusterRequest},
};
use polywire_services::{
    health_detail::HealthClient, monitoring::MonitoringClient, raft::RaftClient, status::StatusClient,
};
use polywire_tests::{
    disk::SmallDisk,
    node::{FREE_PORTS, Node, binary, call},
    patience::{eventually, within},
};

use super::cluster::Cluster;
use crate::{
    metrics::{samples, value},
    node::connect,
};

#[tokio::test]
async fn every_member_tells_how_the_leader_sees_the_cluster() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let leader_id = cluster.status(leader).await.unwrap().leader_id;
    for place in 0..3 {
        let status = StatusClient::new(connect(cluster.node(place).iroh()).await);
        let seen = eventually("the others have what the leader has", async || {
            let seen = status.get_cluster_status(GetClusterStatusRequest {}).await.ok()?;
            let level = seen.nodes.iter().all(|node| node.replication_lag == Some(0));
            (level && seen.leader_id == Some(seen.seen_by)).then_some(seen)
        })
        .await;
        assert_eq!((seen.leader_id, Some(seen.seen_by)), (leader_id, leader_id));
        assert_eq!(seen.nodes.len(), 3);
        for node in &seen.nodes {
            let own = (0..3).find(|place| format!("node-{place}") == node.name).unwrap();
            assert_eq!(node.grpc_address, cluster.node(own).grpc_address());
            assert_eq!(node.iroh_endpoint_id, cluster.node(own).targets.node_id);
            assert!(cluster.node(own).iroh().ends_with(&node.iroh_direct_addresses[0]), "{node:?}");
            let leads = Some(node.id) == leader_id;
            assert_eq!(node.role() == Role::Leader, leads, "{node:?}");
            assert_eq!(node.last_contact_ms.is_none(), leads, "{node:?}");
        }
        let raft = status.get_raft_status(GetRaftStatusRequest {}).await.unwrap();
        assert_eq!(raft.voters.len(), 3, "{raft:?}");
        assert_eq!(raft.state() == Role::Leader, place == leader, "{raft:?}");
        assert!(raft.committed.unwrap().index > 0, "{raft:?}");
        assert_eq!(raft.failure, "");
    }
}

#[tokio::test]
async fn a_lost_member_shows_in_the_status_and_in_the_health_and_so_does_a_lost_majority() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let channel = connect(cluster.node(leader).grpc()).await;
    let monitoring = MonitoringClient::new(channel.clone());
    let well = eventually("all is well", async || {
        let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.ok()?;
        (told.healthy && told.peers.iter().all(|peer| peer.reachable == Some(true))).then_some(told)
    })
    .await;
    let reached: Vec<_> = well.peers.iter().map(|peer| (peer.reachable, &*peer.transport)).collect();
    assert_eq!(reached, [(Some(true), "grpc"); 2]);

    cluster.kill(others[0]).await;
    let name = format!("node-{}", others[0]);
    eventually("the loss is told", async || {
        let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.ok()?;
        let lost = told.peers.iter().find(|peer| peer.name == name)?;
        (!told.healthy && lost.reachable == Some(false) && !lost.errors.is_empty()).then_some(())
    })
    .await;
    assert_eq!(cluster.node(leader).get("/readyz").await.status, 200, "a majority is there");

    cluster.kill(others[1]).await;
    let health = HealthClient::new(channel);
    eventually("the majority's loss is told", async || {
        let detail = health.detail(DetailRequest {}).await.ok()?;
        let failing = detail.components.iter().filter(|part| !part.ok).map(|part| &*part.name);
        (!detail.serving && failing.eq(["peers", "raft"])).then_some(())
    })
    .await;
    assert_eq!(cluster.node(leader).get("/readyz").await.status, 503);
}

#[tokio::test]
async fn every_member_tells_over_which_transports_each_other_answers_and_what_went_wrong_last() {
    let mut cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let (follower, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.caught_up(follower).await;
    let monitoring = MonitoringClient::new(connect(cluster.node(follower).grpc()).await);
    let well = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.unwrap();
    assert!(well.healthy, "{well:?}");
    assert_eq!(well.peers.len(), 2);
    for peer in &well.peers {
        let node = cluster.node((0..3).find(|place| format!("node-{place}") == peer.name).unwrap());
        assert_eq!((peer.reachable, &*peer.transport), (Some(true), "grpc"), "{peer:?}");
        let ways: Vec<_> =
            peer.ways.iter().map(|way| (&*way.transport, &*way.target, way.reachable)).collect();
        assert_eq!(ways, [("grpc", node.grpc(), true), ("iroh", node.iroh(), true)]);
        for way in &peer.ways {
            assert!((1..1_000_000).contains(&way.round_trip_us.unwrap()), "{way:?}");
            let path = way.path.as_ref().unwrap();
            assert!(!path.relayed && way.target.contains(&path.remote), "{way:?}");
            assert_eq!(path.round_trip_us.is_some(), way.transport == "iroh", "{way:?}");
        }
    }

    cluster.kill(other).await;
    let name = format!("node-{other}");
    let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.unwrap();
    let lost = told.peers.iter().find(|peer| peer.name == name).unwrap();
    assert_eq!((lost.reachable, lost.errors.len()), (Some(false), 2), "{lost:?}");
    assert!(lost.ways.iter().all(|way| !way.reachable && !way.last_error.is_empty()), "{lost:?}");
    let reason = format!("{name} is not reachable (over grpc: ");
    assert!(
        told.reasons.iter().any(|told| told.starts_with(&reason) && told.contains("; over iroh: ")),
        "{told:?}"
    );

    cluster.restart(other).await;
    cluster.caught_up(other).await;
    let back = eventually("the member is reached again", async || {
        let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.ok()?;
        let back = told.peers.into_iter().find(|peer| peer.name == name)?;
        (back.ways.len() == 2 && back.ways.iter().all(|way| way.reachable)).then_some(back)
    })
    .await;
    assert!(back.errors.is_empty(), "{back:?}");
    for way in &back.ways {
        let contact = way.last_contact_ms.unwrap();
        assert!(!way.last_error.is_empty() && way.last_error_ms.unwrap() >= contact, "{way:?}");
    }
}

#[tokio::test]
async fn a_follower_that_is_far_behind_its_leader_says_so() {
    let cluster = Cluster::start(&["--health.check_interval=100ms"]).await;
    let leader = cluster.leader().await;
    let follower = cluster.node((leader + 1) % 3);
    assert_eq!(follower.get("/readyz").await.status, 200);
    let channel = connect(follower.grpc()).await;
    let own = StatusClient::new(channel.clone()).get_raft_status(GetRaftStatusRequest {}).await.unwrap();
    // As its leader would tell one to which none of it has come yet.
    let heartbeat = AppendEntriesRequest {
        to: own.node_id,
        vote: Some(Vote { term: own.term, node_id: own.leader_id.unwrap(), committed: true }),
        leader_commit: Some(LogId { term: own.term, leader_id: own.leader_id.unwrap(), index: 100_000 }),
        ..AppendEntriesRequest::default()
    };
    let key = std::fs::read_to_string(cluster.data_dir(leader).join("identity.key")).unwrap();
    let mut secret = [0; 32];
    for (byte, digits) in secret.iter_mut().zip(key.trim().as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    }
    let as_leader = ConnectOptions::new().secret_key(secret);
    let channel = follower.iroh().parse::<Target>().unwrap().connect(&as_leader).await.unwrap();
    RaftClient::new(channel).append_entries(heartbeat).await.unwrap();
    let page = eventually("the lag is told", async || {
        let page = follower.get("/readyz?verbose").await;
        page.body.contains("entries behind its leader, which has committed 100000").then_some(page)
    })
    .await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("raft: this node is "), "{}", page.body);
}

#[tokio::test]
async fn the_disk_is_that_of_the_data_directory_though_it_be_in_memory() {
    let Some(disk) = SmallDisk::mount(96 << 20).await else { return };
    let data = format!("--node.data_dir={}", disk.path().join("data").display());
    let node = Node::start_with(disk.command(binary()), FREE_PORTS.into_iter().chain([&*data])).await;
    let monitoring = MonitoringClient::new(connect(node.grpc()).await);
    let info = monitoring.get_system_info(GetSystemInfoRequest {}).await.unwrap();
    let told = info.data_disk.expect("the system says it of every file system");
    assert_eq!(told.total_bytes, 96 << 20);
    assert!((1..96 << 20).contains(&told.available_bytes), "{told:?}");
}

#[tokio::test]
async fn a_watcher_is_told_of_members_that_come() {
    let node = Node::start(&[]).await;
    let status = StatusClient::new(connect(node.grpc()).await);
    let mut watch = status.watch_cluster(WatchClusterRequest {}).await.unwrap();
    assert_eq!(within(watch.message()).await.unwrap().unwrap().nodes.len(), 1);
    let other = Node::start(&[]).await;
    let joined = super::cluster::cluster_command(&["join", node.grpc(), "--node", other.grpc()]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    while within(watch.message()).await.unwrap().unwrap().nodes.len() < 2 {}
    let end = node.terminate();
    let rest = async { while watch.message().await.is_ok_and(|told| told.is_some()) {} };
    let (end, ()) = tokio::join!(end, within(rest));
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert!(end.took < std::time::Duration::from_secs(5), "a watcher delays no other: {:?}", end.took);
}

#[tokio::test]
async fn the_machine_is_read_and_not_made_up() {
    let node = Node::start(&[]).await;
    let monitoring = MonitoringClient::new(connect(node.iroh()).await);
    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{file}")).unwrap();
    let own = |file: &str| proc(&format!("{}/{file}", node.pid()));
    let info = async || monitoring.get_system_info(GetSystemInfoRequest {}).await.unwrap();

    let first = info().await;
    assert_eq!(first.host_name, proc("sys/kernel/hostname").trim());
    let processors = proc("stat").lines().filter(|line| line.starts_with("cpu")).count() - 1;
    assert_eq!(first.processors as usize, processors);
    let total = kibibytes(&proc("meminfo"), "MemTotal");
    assert_eq!(first.memory_total_bytes, total);
    assert!((1..total).contains(&first.memory_used_bytes), "{first:?}");
    let file_system = rustix::fs::statvfs(node.data_dir()).unwrap();
    let disk = first.data_disk.unwrap();
    assert_eq!(disk.total_bytes, file_system.f_blocks * file_system.f_frsize);
    assert!((1..=disk.total_bytes).contains(&disk.available_bytes), "{disk:?}");

    let process = first.process.unwrap();
    assert_eq!(process.pid, node.pid());
    assert!(process.uptime_seconds < first.uptime_seconds, "{process:?}");
    let limit = own("limits").lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
    assert_eq!(process.max_open_files.unwrap().to_string(), limit.split_whitespace().nth(3).unwrap());
    // Each grows and shrinks a little all the time.
    let resident = kibibytes(&own("status"), "VmRSS");
    assert!((resident / 2..resident * 2).contains(&process.resident_bytes), "{resident}, {process:?}");
    eventually("the open files are those that the system counts", async || {
        let told = info().await.process.unwrap().open_files.unwrap();
        let counted = std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count() as u64;
        // A process that counts its own files has one more open meanwhile.
        (told == counted || told == counted + 1).then_some(())
    })
    .await;
}

/// The number of bytes that a file below `/proc` says in KiB.
fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn every_call_is_in_the_metrics_that_are_called_for() {
    let node = Node::start(&[]).await;
    let monitoring = MonitoringClient::new(connect(node.iroh()).await);
    for calls in 1..=3 {
        monitoring.get_system_info(GetSystemInfoRequest {}).await.unwrap();
        let text = monitoring.get_metrics(GetMetricsRequest {}).await.unwrap().text;
        let labels = [
            ("service", "polywire.monitoring.v1.Monitoring"),
            ("method", "GetSystemInfo"),
            ("transport", "iroh"),
            ("code", "OK"),
        ];
        assert_eq!(value(&samples(&text), "polywire_server_calls_total", &labels), f64::from(calls));
    }
}

#[tokio::test]
async fn vital_signs_come_at_the_interval_that_was_asked_for() {
    let node = Node::start(&[]).await;
    let monitoring = MonitoringClient::new(connect(node.iroh()).await);
    let mut vitals = monitoring.watch_vitals(WatchVitalsRequest { interval_ms: 300 }).await.unwrap();
    let mut five = async || {
        let mut told = Vec::new();
        for _ in 0..5 {
            told.push(within(vitals.message()).await.unwrap().unwrap());
        }
        (told[4].unix_ms - told[0].unix_ms, told)
    };
    let (took, told) = five().await;
    // One that comes late is followed by one in its own time.
    assert!(took >= 300, "{told:?}");
    eventually("they come as often as they were asked for, which is more often than usual", async || {
        (five().await.0 < 2_000).then_some(())
    })
    .await;
    for vitals in &told {
        assert_eq!(vitals.process.unwrap().pid, node.pid());
        // This one, over its connection.
        assert_eq!((vitals.calls_in_flight, vitals.connections), (1, 1));
    }
    for interval_ms in [99, 3_600_001] {
        let refused = monitoring.watch_vitals(WatchVitalsRequest { interval_ms }).await.unwrap_err();
        assert_eq!(refused.code(), polywire::Code::InvalidArgument);
        let expected = format!("expected an interval of 100 to 3600000 ms, found {interval_ms}");
        assert_eq!(refused.message(), expected);
    }
}

#[tokio::test]
async fn the_old_names_are_served_where_the_configuration_says_so() {
    let methods = [
        "blixard.ClusterService/HealthCheck",
        "blixard.ClusterService/GetClusterStatus",
        "blixard.BlixardService/GetRaftStatus",
    ];
    let (with, without) = (Node::start(&["--compat.blixard=true"]).await, Node::start(&[]).await);
    for method in methods {
        let answers = [call(&[with.grpc(), method]).await, call(&[with.iroh(), method]).await];
        assert!(answers.iter().all(|answer| answer.code == 0), "{answers:?}");
        assert_eq!(answers[0].stdout, answers[1].stdout, "over both transports");
        assert_eq!(call(&[without.grpc(), method, "--codec", "protobuf"]).await.code, 64 + 12);
    }
    let health = call(&[with.grpc(), methods[0]]).await.stdout;
    assert_eq!(health.trim(), r#"{"healthy":true,"message":"serving"}"#);
    let raft: serde_json::Value =
        serde_json::from_str(&call(&[with.grpc(), methods[2]]).await.stdout).unwrap();
    assert_eq!((&raft["isLeader"], &raft["state"]), (&true.into(), &"leader".into()));
    // The numbers of the fields are the contract with clients that have their own stubs.
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", with.grpc_address())).unwrap();
    let mut grpc = tonic::client::Grpc::new(channel.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/blixard.ClusterService/GetClusterStatus");
    let codec = tonic_prost::ProstCodec::<old::ClusterStatusRequest, foreign::ClusterStatus>::default();
    let answer = grpc.unary(tonic::Request::new(old::ClusterStatusRequest {}), path, codec).await.unwrap();
    let status = answer.into_inner();
    assert_eq!(status.nodes[0].address, with.grpc_address());
    assert_eq!(status.nodes[0].state, 3, "LEADER");
    assert_eq!(status.nodes[0].p2p_node_id, with.targets.node_id);
    assert_eq!(status.leader_id, status.nodes[0].id);
    assert!(status.term > 0);
}

/// The messages as an old client has them.
mod foreign {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ClusterStatus {
        #[prost(uint64, tag = "1")]
        pub(super) leader_id: u64,
        #[prost(message, repeated, tag = "2")]
        pub(super) nodes: Vec<Node>,
        #[prost(uint64, tag = "3")]
        pub(super) term: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Node {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(string, tag = "2")]
        pub(super) address: String,
        #[prost(int32, tag = "3")]
        pub(super) state: i32,
        #[prost(string, tag = "4")]
        pub(super) p2p_node_id: String,
        #[prost(string, repeated, tag = "5")]
        pub(super) p2p_addresses: Vec<String>,
        #[prost(string, tag = "6")]
        pub(super) p2p_relay_url: String,
    }
}
