use iroh::{
    endpoint::Connection,
    protocol::{AcceptError, ProtocolHandler, Router},
};
use polywire::Streaming;
use polywire::{Code, iroh::Peer};
use polywire_tests::{
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    patience::within,
};

const ECHO: &[u8] = b"somebody/echo/1";

/// A protocol that knows nothing of us.
#[derive(Debug)]
struct Echo;

impl ProtocolHandler for Echo {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let text = recv.read_to_end(1024).await.map_err(AcceptError::from_err)?;
            send.write_all(&text).await.map_err(AcceptError::from_err)?;
            send.finish()?;
        }
        Ok(())
    }
}

async fn echoes(connection: &Connection, text: &[u8]) -> bool {
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(text).await.unwrap();
    send.finish().unwrap();
    within(recv.read_to_end(1024)).await.unwrap() == text
}

#[tokio::test(flavor = "multi_thread")]
async fn our_service_stands_beside_a_foreign_protocol_and_its_panics_leave_it_alone() {
    let stock = Stock::new()
        .on_get(async |_, request: GetRequest| {
            assert_ne!(request.name, "drop it");
            Ok(Item::named(request.name))
        })
        .on_watch(async |_, _: WatchRequest| {
            Ok(Streaming::new(futures_util::stream::poll_fn(|_| panic!("amid the answers"))))
        });
    let server = endpoint::plain().await;
    let router = Router::builder(server.clone())
        .accept(ECHO, Echo)
        .accept(polywire::iroh::ALPN, stock.server().into_iroh())
        .spawn();
    let client = endpoint::plain().await;
    let foreign = client.connect(server.addr(), ECHO).await.unwrap();
    assert!(echoes(&foreign, b"before").await);

    let ours = InventoryClient::new(Peer::new(client.clone(), server.addr()));
    assert_eq!(ours.get(GetRequest::named("anvil")).await.unwrap(), Item::named("anvil"));
    let status = ours.get(GetRequest::named("drop it")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let mut items = ours.watch(WatchRequest::default()).await.unwrap();
    assert_eq!(items.message().await.unwrap_err().code(), Code::Internal);

    assert!(echoes(&foreign, b"after").await);
    let again = client.connect(server.addr(), ECHO).await.unwrap();
    assert!(echoes(&again, b"on a new connection").await);
    ours.get(GetRequest::named("anvil")).await.unwrap();
    assert!(!router.is_shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn irohs_shutdown_lets_calls_in_flight_finish() {
    let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
    let (go, gate) = tokio::sync::watch::channel(false);
    let stock = Stock::new().on_get(move |_, _| {
        let mut gate = gate.clone();
        begun.send(()).unwrap();
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            Ok(Item::named("finished"))
        }
    });
    let server = endpoint::plain().await;
    let router =
        Router::builder(server.clone()).accept(polywire::iroh::ALPN, stock.server().into_iroh()).spawn();
    let ours = InventoryClient::new(Peer::new(endpoint::plain().await, server.addr()));
    let call = tokio::spawn(ours.get(GetRequest::default()).into_future());
    within(beginnings.recv()).await.unwrap();
    let ending = tokio::spawn(async move { router.shutdown().await });
    // What comes now comes too late, and learns that it may go elsewhere.
    let refused = polywire_tests::patience::eventually("new calls are refused", async || {
        let outcome = tokio::time::timeout(
            std::time::Duration::from_millis(200),
            ours.get(GetRequest::default()).into_future(),
        );
        outcome.await.ok()?.err()
    });
    let refused = refused.await;
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.is_not_processed());
    go.send(true).unwrap();
    assert_eq!(within(call).await.unwrap().unwrap(), Item::named("finished"));
    within(ending).await.unwrap().unwrap();
}
