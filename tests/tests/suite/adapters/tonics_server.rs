use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use polywire_tests::{
    http2::Http2,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::within,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::util::MapRequestLayer;

/// A plain tonic server of ours and of tonic's own health service, under a layer that counts.
async fn serve(stock: Stock) -> (SocketAddr, Arc<AtomicUsize>) {
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = counted.clone();
    let layer = MapRequestLayer::new(move |request: http::Request<tonic::body::Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        request
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("inventory.v1.Inventory", tonic_health::ServingStatus::Serving).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(layer).add_service(health).add_service(stock.server().into_grpc());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, counted)
}

async fn dial(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn our_service_stands_beside_tonics_own_under_the_servers_layers() {
    let (address, counted) = serve(Stock::new()).await;
    let channel = dial(address).await;
    let ours = InventoryClient::new(channel.clone());
    assert_eq!(ours.get(GetRequest::named("anvil")).await.unwrap(), Item::named("anvil"));
    let mut theirs = HealthClient::new(channel);
    let request = HealthCheckRequest { service: "inventory.v1.Inventory".to_owned() };
    let answer = theirs.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    assert_eq!(counted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_deadline_is_exceeded_and_not_cancelled() {
    let (address, _) = serve(Stock::new().on_get(async |_, _| pending::<Result<Item, _>>().await)).await;
    let connection = Http2::connect(&address.to_string()).await;
    // Each millisecond of the timers may make the difference between tonic's answer and ours.
    for _ in 0..10 {
        let begun = Instant::now();
        let fields = [("grpc-timeout", "50m")];
        let answer = connection.call("/inventory.v1.Inventory/Get", &fields, &GetRequest::default()).await;
        assert_eq!(answer.grpc_status(), 4, "{answer:?}");
        assert!(begun.elapsed().as_millis() >= 40, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so_in_http() {
    let (address, _) = serve(Stock::new()).await;
    let connection = Http2::connect(&address.to_string()).await;
    let path = "/inventory.v1.Inventory/Get";
    let json = [("content-type", "application/json")];
    let answer = connection.request(http::Method::POST, path, &json, Bytes::from_static(b"{}")).await;
    assert_eq!((answer.status, answer.headers.get("grpc-status")), (415, None));
    let grpc = [("content-type", "application/grpc")];
    let answer = connection.request(http::Method::GET, path, &grpc, Bytes::new()).await;
    assert_eq!((answer.status, answer.headers.get("grpc-status")), (405, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_our_handler_leaves_the_connection_to_the_others() {
    let stock = Stock::new().on_get(async |_, request: GetRequest| {
        assert_ne!(request.name, "drop it");
        Ok(Item::default())
    });
    let (address, _) = serve(stock).await;
    let channel = dial(address).await;
    let ours = InventoryClient::new(channel.clone());
    let mut watch =
        HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    within(watch.message()).await.unwrap().unwrap();
    let status = ours.get(GetRequest::named("drop it")).await.unwrap_err();
    assert_eq!(status.code(), polywire::Code::Internal);
    ours.get(GetRequest::default()).await.unwrap();
    // A watch that ended would be ready.
    assert!(futures_util::FutureExt::now_or_never(watch.message()).is_none());
}
