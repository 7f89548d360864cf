//! Layers around everything that a node serves, in this process.

use polywire::{Code, ConnectOptions, ServiceExt as _, Target, config::Loader, layer::wrap};
use polywire_tests::{
    bearer::{Bearer, TOKEN, sending},
    inventory::{GetRequest, InventoryClient, Stock},
};

use crate::node::ask;

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_layer_is_around_every_service_on_every_transport_and_what_it_refuses_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().display();
    let loaded = Loader::new()
        .flag("node.data_dir", format!("{path}/data"))
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("transport.quic.enabled", "true")
        .flag("transport.quic.bind_address", "127.0.0.1:0")
        .flag("transport.unix.enabled", "true")
        .flag("transport.unix.path", format!("{path}/node.sock"))
        .flag("transport.websocket.enabled", "true")
        .flag("transport.websocket.bind_address", "127.0.0.1:0")
        .flag("transport.memory.enabled", "true")
        .flag("transport.memory.name", "layered")
        .flag("http.enabled", "false")
        .load()
        .unwrap();
    let builder = polywire_services::node().service(Stock::new().server()).layer(wrap(Bearer));
    let node = builder.config(loaded.config).bind().await.unwrap();
    let (targets, metrics) = (node.targets().clone(), node.parts().metrics.clone());
    assert_eq!(targets.transports.len(), 6, "{targets:?}");
    tokio::spawn(node.serve(std::future::pending()));
    for (transport, target) in &targets.transports {
        let target: Target = target.parse().unwrap();
        let channel = target.connect(&ConnectOptions::new()).await.unwrap();
        let health = polywire_services::health::HealthClient::new(channel.clone());
        let refused = health.check(ask("")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{transport}: {refused}");
        let refused = InventoryClient::new(channel.clone()).get(GetRequest::named("anvil")).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated, "{transport}");
        let channel = channel.layer(&sending(TOKEN)).into_channel();
        let client = InventoryClient::new(channel.clone());
        assert_eq!(client.get(GetRequest::named("anvil")).await.unwrap().name, "anvil", "{transport}");
        polywire_services::health::HealthClient::new(channel).check(ask("")).await.unwrap();
    }
    let page = metrics.render(polywire::metrics::Format::Text);
    let counted = |line: &&str| {
        line.starts_with("polywire_server_calls_total{")
            && line.contains("Unauthenticated") | line.contains("UNAUTHENTICATED")
            && line.contains("service=\"inventory.v1.Inventory\"")
            && line.ends_with(" 1")
    };
    assert_eq!(page.lines().filter(counted).count(), 6, "{page}");
}
