use iroh::protocol::Router;
use polywire::{Code, ServiceExt as _, iroh::Peer, layer::wrap};
use polywire_tests::{
    bearer::{Bearer, TOKEN, sending},
    endpoint,
    inventory::{GetRequest, InventoryClient, Stock},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    server::NamedService,
    transport::{Channel, Endpoint, Server},
};
use tower::util::MapRequestLayer;

fn name<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layered_service_goes_into_tonics_server_and_irohs_router_as_what_it_is() {
    let unchanged = MapRequestLayer::new(|call: polywire::layer::Request| call);
    let layered = Stock::new().server().layer(&wrap(Bearer)).layer(&unchanged);
    let adapter = layered.clone().into_grpc();
    assert_eq!(name(&adapter), "inventory.v1.Inventory");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(adapter);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let over_grpc: Channel =
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    let (server, client) = (endpoint::plain().await, endpoint::plain().await);
    let _router = Router::builder(server.clone()).accept(polywire::iroh::ALPN, layered.into_iroh()).spawn();
    let over_iroh = Peer::new(client, endpoint::address(&server));

    for channel in [over_grpc.into_channel(), over_iroh.into_channel()] {
        let refused = InventoryClient::new(channel.clone()).get(GetRequest::named("anvil")).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
        let client = InventoryClient::new(channel.layer(&sending(TOKEN)));
        assert_eq!(client.get(GetRequest::named("anvil")).await.unwrap().name, "anvil");
    }
}
