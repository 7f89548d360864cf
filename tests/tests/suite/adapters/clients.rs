use std::sync::Arc;

use iroh::protocol::Router;
use polywire::{Context, Status, Streaming, iroh::Peer};
use polywire_tests::{
    endpoint,
    inventory::{
        GetRequest, Inventory, InventoryClient, InventoryServer, Item, Stock, Summary, WatchRequest,
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

/// Written against the trait: it cannot know who implements it.
async fn stocktaking(inventory: &impl Inventory) -> Result<Vec<String>, Status> {
    let cx = Context::new();
    let mut names = vec![inventory.get(&cx, GetRequest::named("anvil")).await?.into_message().name];
    let mut items = inventory.watch(&cx, WatchRequest { count: 2 }).await?.into_message();
    while let Some(item) = items.message().await? {
        names.push(item.name);
    }
    let sent = Streaming::from_iter([Item::named("hammer")]);
    let Summary { names: imported } = inventory.import(&cx, sent).await?.into_message();
    names.extend(imported);
    let sent = Streaming::from_iter([Item::named("tongs")]);
    let mut items = inventory.sync(&cx, sent).await?.into_message();
    while let Some(item) = items.message().await? {
        names.push(item.name);
    }
    Ok(names)
}

#[tokio::test]
async fn the_same_code_runs_with_the_implementation_and_with_a_peer_over_each_transport() {
    let stock = Arc::new(Stock::new());
    let server = InventoryServer::from_arc(stock.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let grpc = Server::builder().add_service(server.clone().into_grpc());
    tokio::spawn(grpc.serve_with_incoming(TcpListenerStream::new(listener)));
    let iroh = endpoint::plain().await;
    let _router = Router::builder(iroh.clone()).accept(polywire::iroh::ALPN, server.into_iroh()).spawn();

    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let peer = Peer::new(endpoint::plain().await, iroh.addr());
    let expected = ["anvil", "0", "1", "hammer", "tongs"];
    assert_eq!(stocktaking(&*stock).await.unwrap(), expected);
    assert_eq!(stocktaking(&InventoryClient::new(channel)).await.unwrap(), expected);
    assert_eq!(stocktaking(&InventoryClient::new(peer)).await.unwrap(), expected);
}
