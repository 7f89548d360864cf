//! A transport of a third party that hands the node's services to an adapter, which has an edge of its own and no access control.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use polywire::{
    Caller, Channel, Code, ConnectOptions, Status,
    config::Loader,
    grpc::{Adapter, Connection},
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};
use polywire_proto::directory::v1::ListRequest;
use polywire_services::directory::DirectoryClient;
use polywire_tests::patience::eventually;
use tower::{ServiceBuilder, util::MapRequestLayer};

use super::ask;

/// What serves the node once it is there.
type Slot = Arc<Mutex<Option<Adapter<Channel>>>>;

#[derive(Clone, Default)]
struct Adapted(Slot);

polywire::section! {
    /// gRPC by an adapter.
    pub struct AdaptedConfig {
        /// Whether the node serves by it.
        pub enabled: bool = false,
    }
}

#[derive(Clone, Debug)]
struct Nowhere;

impl fmt::Display for Nowhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("adapted://here")
    }
}

impl Transport for Adapted {
    type Config = AdaptedConfig;
    type Address = Nowhere;
    type Bound = AdaptedListening;

    fn name(&self) -> &'static str {
        "adapted"
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[Scheme { name: "adapted", form: "adapted://here" }]
    }

    fn parse(&self, _: &'static str, _: &str) -> Result<Nowhere, String> {
        Ok(Nowhere)
    }

    async fn connect(&self, _: Nowhere, _: ConnectOptions) -> Result<Connected, Status> {
        Err(Status::unavailable("the test calls the adapter itself"))
    }

    async fn bind(&self, _: AdaptedConfig, _: BindContext) -> Result<AdaptedListening, BindError> {
        Ok(AdaptedListening(self.0.clone()))
    }
}

struct AdaptedListening(Slot);

impl Bound for AdaptedListening {
    fn target(&self) -> String {
        Nowhere.to_string()
    }

    async fn serve(self, serving: Serving) {
        *self.0.lock().unwrap() = Some(serving.service.into_grpc());
        serving.drain.stopping().await;
    }
}

#[tokio::test]
async fn a_transport_whose_adapter_asks_for_no_access_is_asked_by_the_node() {
    let (data, slot) = (tempfile::tempdir().unwrap(), Slot::default());
    polywire::transport::register(Adapted(slot.clone())).unwrap();
    let loaded = Loader::new()
        .flag("node.data_dir", data.path().display().to_string())
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("transport.adapted.enabled", "true")
        .flag("http.enabled", "false")
        .load()
        .unwrap();
    let node = polywire_services::node().config(loaded.config).bind().await.unwrap();
    tokio::spawn(node.serve(std::future::pending()));
    let adapter = eventually("the transport serves", async || slot.lock().unwrap().clone()).await;
    let stranger = Arc::new(Caller::new("adapted").at("192.0.2.1:1".parse().unwrap()));
    let known = MapRequestLayer::new(move |mut request: http::Request<tonic::body::Body>| {
        request.extensions_mut().insert(stranger.clone());
        request
    });
    let channel = Channel::new(Connection::new(ServiceBuilder::new().layer(known).service(adapter)));
    let directory = DirectoryClient::new(channel.clone());
    let refused = directory.list(ListRequest { members: false }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    polywire_services::health::HealthClient::new(channel).check(ask("")).await.unwrap();
}
