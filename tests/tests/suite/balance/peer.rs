//! A node that counts what it executes, on the far side of a link, and a channel to it from the near one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use polywire::{Channel, ConnectOptions, Node, Status, Streaming, config::Loader, policy::PolicyHandle};
use polywire_tests::{lab::Lab, patience::within};

/// A number, or the name of an increment.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
pub(super) struct Number {
    #[prost(uint64, tag = "1")]
    pub(super) value: u64,
}

/// Counts.
#[polywire::service(package = "counting.v1")]
pub(super) trait Counter {
    /// Tells the sum; may be asked as often as one likes.
    #[rpc(idempotent)]
    async fn read(&self, request: Number) -> Result<Number, Status>;
    /// Adds one, under this name; two requests add two.
    async fn increment(&self, name: Number) -> Result<Number, Status>;
    /// Counts up for as long as anybody listens.
    async fn watch(&self, request: Number) -> Result<Streaming<Number>, Status>;
}

/// How often each increment was executed.
#[derive(Clone, Default)]
pub(super) struct Executed(Arc<Mutex<HashMap<u64, u32>>>);

impl Executed {
    pub(super) fn times(&self, name: u64) -> u32 {
        self.0.lock().unwrap().get(&name).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u32 {
        self.0.lock().unwrap().values().sum()
    }
}

impl Counter for Executed {
    async fn read(&self, _: Number) -> Result<Number, Status> {
        Ok(Number { value: self.total().into() })
    }

    async fn increment(&self, name: Number) -> Result<Number, Status> {
        *self.0.lock().unwrap().entry(name.value).or_default() += 1;
        Ok(Number { value: self.total().into() })
    }

    async fn watch(&self, _: Number) -> Result<Streaming<Number>, Status> {
        Ok(Streaming::from_iter((0..).map(|value| Number { value })))
    }
}

/// The node: what it executed, and its targets over Iroh and gRPC.
pub(super) struct Peer {
    pub(super) executed: Executed,
    pub(super) targets: [String; 2],
    _data: tempfile::TempDir,
}

impl Peer {
    /// On the far side, for as long as the lab is there.
    pub(super) async fn start(lab: &Lab) -> Self {
        let data = tempfile::tempdir().unwrap();
        let address = lab.far().address();
        let loaded = Loader::new()
            .flag("node.data_dir", data.path().join("data").display().to_string())
            .flag("transport.grpc.bind_address", format!("{address}:0"))
            .flag("transport.iroh.bind_address", address.to_string())
            .flag("http.enabled", "false")
            .flag("access.insecure", "true")
            .load()
            .unwrap();
        let executed = Executed::default();
        let service = CounterServer::new(executed.clone());
        let (tell, told) = tokio::sync::oneshot::channel();
        drop(lab.far().spawn(async move {
            let node = Node::builder().service(service).config(loaded.config).bind().await.unwrap();
            let target = |transport| node.targets().get(transport).unwrap().to_owned();
            let _ = tell.send(["iroh", "grpc"].map(target));
            node.serve(std::future::pending()).await
        }));
        let targets = within(told).await.unwrap();
        Self { executed, targets, _data: data }
    }

    /// A client over both, which prefers Iroh. To be called on the near side.
    pub(super) async fn client(
        targets: [String; 2],
        policy: impl Into<PolicyHandle>,
    ) -> (CounterClient, Channel) {
        let options = ConnectOptions::new().connect_timeout(Duration::from_secs(2));
        let builder = Channel::builder().options(options).targets(targets).policy(policy);
        let channel = builder.connect().await.unwrap();
        (CounterClient::new(channel.clone()), channel)
    }
}
