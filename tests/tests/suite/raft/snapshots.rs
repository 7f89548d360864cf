//! A member that joins when the entries that it needs have left the log.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use polywire::{ConnectOptions, Node, Target, config::Loader};
use polywire_proto::{
    cluster::v1::{JoinRequest, JoinResponse},
    kv::v1::{GetRequest, PutRequest},
};
use polywire_services::raft::{ClusterClient, Handle, KvClient, RaftComponent};
use polywire_tests::{
    node::get,
    patience::{eventually, within},
};
use tempfile::TempDir;

use crate::metrics::samples;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_comes_late_gets_a_snapshot_over_grpc() {
    come_late("grpc").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_comes_late_gets_a_snapshot_over_iroh() {
    come_late("iroh").await;
}

async fn come_late(transport: &str) {
    let (first, second) = (Member::start(transport).await, Member::start(transport).await);
    first.write_and_purge().await;
    second.join(&first).await.unwrap();
    second.check().await;
    assert!(second.snapshots(transport, "OK").await >= 1.0);
    let other = if transport == "grpc" { "iroh" } else { "grpc" };
    assert_eq!(second.snapshots(other, "OK").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_refuses_a_damaged_snapshot_and_takes_the_next_one() {
    let (first, second) = (Arc::new(Member::start("grpc").await), Arc::new(Member::start("grpc").await));
    let file = first.write_and_purge().await;
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    let joining = {
        let (first, second) = (first.clone(), second.clone());
        tokio::spawn(async move { second.join(&first).await })
    };
    eventually("the member refuses it", async || {
        (second.snapshots("grpc", "DATA_LOSS").await >= 1.0).then_some(())
    })
    .await;
    assert_eq!(second.handle.metrics().unwrap().running_state, Ok(()), "it costs only time");
    std::fs::write(&file, whole).unwrap();
    within(joining).await.unwrap().unwrap();
    second.check().await;
}

/// A node in this process, whose Raft can be told what to do.
pub(super) struct Member {
    pub(super) handle: Handle,
    pub(super) grpc: Target,
    http: String,
    data: TempDir,
}

/// More than fits into one message.
const KEYS: usize = 4;
const VALUE: usize = 200 << 10;

impl Member {
    pub(super) async fn start(transport: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let loaded = Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("node.data_dir", data.path().to_str().unwrap())
            .flag("transport.strategy.raft_transport", format!("always_{transport}"))
            .load()
            .unwrap();
        let handle = Arc::new(OnceLock::new());
        let told = handle.clone();
        let node = Node::builder().component(move |parts| {
            let raft = RaftComponent::new(parts);
            told.get_or_init(|| raft.handle().clone());
            raft
        });
        let node = node.config(loaded.config).bind().await.unwrap();
        let targets = node.targets().clone();
        tokio::spawn(node.serve(std::future::pending()));
        let handle = handle.get().unwrap().clone();
        eventually("it leads itself", async || handle.metrics()?.current_leader).await;
        let http = targets.http.as_deref().unwrap().trim_start_matches("http://").to_owned();
        Self { handle, grpc: targets.get("grpc").unwrap().parse().unwrap(), http, data }
    }

    pub(super) async fn kv(&self) -> KvClient {
        KvClient::new(self.grpc.connect(&ConnectOptions::new()).await.unwrap())
    }

    /// Writes the keys, lets their entries go, and says where the snapshot is that stands for them.
    async fn write_and_purge(&self) -> PathBuf {
        self.write_and_purge_of(KEYS, VALUE).await
    }

    /// The same of so many keys with values of this size.
    pub(super) async fn write_and_purge_of(&self, keys: usize, size: usize) -> PathBuf {
        let kv = self.kv().await;
        for key in 0..keys {
            let value = vec![0x55; size].into();
            kv.put(PutRequest { key: key.to_string(), value, ..PutRequest::default() }).await.unwrap();
        }
        let raft = self.handle.running().unwrap().raft.clone();
        raft.trigger().snapshot().await.unwrap();
        let snapshot = eventually("there is a snapshot", async || raft.metrics().borrow().snapshot).await;
        raft.trigger().purge_log(snapshot.index).await.unwrap();
        eventually("the entries are gone", async || raft.metrics().borrow().purged).await;
        let name = format!("{}-{}.snapshot", snapshot.leader_id.term, snapshot.index);
        self.data.path().join("raft/snapshots").join(name)
    }

    async fn join(&self, seed: &Self) -> Result<JoinResponse, polywire::Status> {
        let client = ClusterClient::new(self.grpc.connect(&ConnectOptions::new()).await.unwrap());
        client.join(JoinRequest { seed: seed.grpc.to_string(), ..JoinRequest::default() }).await
    }

    /// It has what the other has written, by a snapshot.
    async fn check(&self) {
        let running = self.handle.running().unwrap();
        assert!(running.metrics().snapshot.is_some(), "{:?}", running.metrics());
        let kv = self.kv().await;
        for key in 0..KEYS {
            let found = running.reader.get(key.to_string()).await.unwrap().unwrap();
            assert_eq!(found.value, vec![0x55; VALUE]);
            kv.get(GetRequest { key: key.to_string(), ..GetRequest::default() }).await.unwrap();
        }
    }

    /// How many snapshots it was sent over this transport and answered so.
    async fn snapshots(&self, transport: &str, code: &str) -> f64 {
        let page = get(&self.http, "/metrics", "*/*").await.unwrap();
        let labels = [
            r#"service="polywire.raft.v1.Raft""#.to_owned(),
            r#"method="InstallSnapshot""#.to_owned(),
            format!("transport=\"{transport}\""),
            format!("code=\"{code}\""),
        ];
        let fits = |series: &str| {
            series.starts_with("polywire_server_calls_total{")
                && labels.iter().all(|label| series.contains(label))
        };
        samples(&page.body).iter().filter(|(series, _)| fits(series)).map(|(_, count)| count).sum()
    }
}
