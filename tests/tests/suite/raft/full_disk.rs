//! A node whose disk is full.

use std::time::Duration;

use polywire::{Code, Status};
use polywire_proto::{
    health::v1::DetailRequest,
    kv::v1::{ListRequest, PutRequest, WatchRequest},
    status::v1::{GetClusterStatusRequest, GetRaftStatusRequest, Role, WatchClusterRequest},
};
use polywire_services::{health_detail::HealthClient, raft::KvClient, status::StatusClient};
use polywire_tests::{
    disk::SmallDisk,
    node::{FREE_PORTS, Node, binary},
    patience::{eventually, within},
};

use super::{
    cluster::Cluster,
    load::{Load, put_anyhow},
};
use crate::node::connect;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_disk_is_full_says_so_and_costs_the_others_nothing() {
    fill_the_disk_of(1).await;
}

/// The node that the others join leads at first, unless the machine is so slow that they have elected another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_is_full_says_so_and_costs_the_others_nothing() {
    fill_the_disk_of(0).await;
}

/// What the disk holds: enough for everything that the load writes, with nothing else on it.
const DISK: u64 = 64 << 20;

/// What the system says of it.
const FULL: &str = "No space left on device";

async fn fill_the_disk_of(full: usize) {
    let Some(disk) = SmallDisk::mount(DISK).await else { return };
    let flags = ["--health.check_interval=200ms", "--health.min_free_bytes=0"];
    let mut cluster = Cluster::start_on(Some((full, disk)), &flags).await;
    eventually("all is well before", async || {
        (cluster.node(full).get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let channel = connect(cluster.node(full).grpc()).await;
    let (kv, status) = (KvClient::new(channel.clone()), StatusClient::new(channel.clone()));
    let mut changes = kv.watch(WatchRequest { prefix: "none of these".to_owned() }).await.unwrap();
    let mut members = status.watch_cluster(WatchClusterRequest {}).await.unwrap();
    let load = Load::start(&cluster.ways);
    load.progress().await;

    cluster.disk(full).unwrap().fill();
    let file = cluster.data_dir(full).join("raft").display().to_string();
    let names_the_cause =
        |text: &str| text.contains(&file) && text.contains(".redb: ") && text.contains(FULL);
    eventually("the health says that the disk is full", async || {
        let detail = HealthClient::new(channel.clone()).detail(DetailRequest {}).await.ok()?;
        let failing = |name| detail.components.iter().find(|part| part.name == name && !part.ok);
        let (raft, storage) = (failing("raft")?, failing("storage")?);
        assert!(names_the_cause(&raft.reason), "{raft:?}");
        assert!(names_the_cause(&storage.reason), "{storage:?}");
        assert!(!detail.serving);
        Some(())
    })
    .await;
    let ready = cluster.node(full).get("/readyz?verbose").await;
    assert_eq!(ready.status, 503);
    assert!(names_the_cause(&ready.body), "{}", ready.body);

    let refused = |status: Status| {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().starts_with("this node's Raft has failed: "), "{status}");
        assert!(names_the_cause(status.message()), "{status}");
    };
    let put = PutRequest { key: "anything".to_owned(), ..PutRequest::default() };
    refused(kv.put(put).timeout(Duration::from_secs(5)).await.unwrap_err());
    refused(end(async || changes.message().await.map(|change| change.is_some())).await);
    refused(end(async || members.message().await.map(|status| status.is_some())).await);
    let own = status.get_raft_status(GetRaftStatusRequest {}).await.unwrap();
    assert!(names_the_cause(&own.failure), "{}", own.failure);
    assert_eq!((own.state(), own.leader_id), (Role::Unspecified, None));
    let seen = status.get_cluster_status(GetClusterStatusRequest {}).await.unwrap();
    assert_eq!((seen.leader_id, seen.seen_by), (None, own.node_id));

    // The others go on, and know that they are fewer.
    put_anyhow(&cluster.ways, "while it is full", "1").await;
    let healthy = (full + 1) % 3;
    eventually("another leads", async || {
        let leader = cluster.status(healthy).await?.leader_id?;
        (leader != own.node_id).then_some(())
    })
    .await;
    load.progress().await;
    assert_eq!(cluster.node(healthy).get("/readyz").await.status, 200);

    // Nothing else is needed than room.
    assert_eq!(cluster.node(full).get("/livez").await.status, 200);
    cluster.disk(full).unwrap().free();
    eventually("it takes calls again", async || {
        (cluster.node(full).get("/readyz").await.status == 200).then_some(())
    })
    .await;
    cluster.caught_up(full).await;
    let put = PutRequest { key: "again".to_owned(), ..PutRequest::default() };
    kv.put(put).await.unwrap();
    load.progress().await;
    load.stop().await.check(&cluster).await;
    let log = cluster.kill(full).await.stderr;
    let told = log
        .lines()
        .find(|line| line.contains("restarts once the disk accepts writes"))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains("ERROR") && names_the_cause(told), "{told}");
    assert!(log.contains("Raft has restarted"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_whose_disk_was_full_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(DISK).await else { return };
    let data = format!("--node.data_dir={}", disk.path().join("data").display());
    let flags = ["--health.check_interval=200ms", "--health.min_free_bytes=0", &*data];
    let node = Node::start_with(disk.command(binary()), FREE_PORTS.into_iter().chain(flags)).await;
    let channel = connect(node.grpc()).await;
    let kv = KvClient::new(channel.clone());
    let put = |key: &str| PutRequest { key: key.to_owned(), ..PutRequest::default() };
    kv.put(put("before")).await.unwrap();
    // Watchers that do not read hold nothing up.
    let changes = kv.watch(WatchRequest::default()).await.unwrap();
    let members = StatusClient::new(channel).watch_cluster(WatchClusterRequest {}).await.unwrap();
    for round in 0..2 {
        disk.fill();
        let large = PutRequest { value: vec![7; 256 << 10].into(), ..put("large") };
        eventually("nothing fits any more", async || {
            kv.put(large.clone()).timeout(Duration::from_secs(2)).await.err()
        })
        .await;
        eventually("the health says that the disk is full", async || {
            let page = node.get("/readyz?verbose").await;
            (page.status == 503 && page.body.contains(FULL)).then_some(())
        })
        .await;
        disk.free();
        eventually("it takes calls again", async || (node.get("/readyz").await.status == 200).then_some(()))
            .await;
        kv.put(put(&format!("after {round}"))).await.unwrap();
    }
    assert_eq!(node.get("/livez").await.status, 200);
    let listed = kv.list(ListRequest::default()).await.unwrap();
    let keys: Vec<_> = listed.items.iter().map(|item| &*item.key).filter(|key| *key != "large").collect();
    assert_eq!(keys, ["after 0", "after 1", "before"]);
    drop((changes, members));
    assert_eq!(node.terminate().await.code, Some(0));
}

/// Why a stream ended.
async fn end(mut next: impl AsyncFnMut() -> Result<bool, Status>) -> Status {
    loop {
        match within(next()).await {
            Ok(more) => assert!(more, "it ended well"),
            Err(status) => return status,
        }
    }
}
