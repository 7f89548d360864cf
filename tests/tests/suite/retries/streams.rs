use polywire::{
    Channel, Code, ConnectOptions, Drain, Gateway, Status, Streaming, Target, grpc,
    net::{Listener, ListenerOptions},
};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    patience::within,
};
use tokio::sync::mpsc;

use super::first::{Ending, First};

/// Two small messages, with what frames them.
const TWO: usize = 16;

async fn channel(target: &str) -> Channel {
    target.parse::<Target>().unwrap().connect(&ConnectOptions::new()).await.unwrap()
}

/// The way to the server: direct, or through a gateway.
async fn client(server: &First, through_gateway: bool) -> InventoryClient {
    let direct = channel(&server.target).await;
    if !through_gateway {
        return InventoryClient::new(direct);
    }
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let gateway = grpc::Adapter::new(Gateway::new(direct).over("grpc"));
    tokio::spawn(listener.serve_http2(ListenerOptions::default(), gateway, Drain::new()));
    InventoryClient::new(channel(&target).await)
}

/// Requests of which two are there, and the rest comes once the first connection has ended.
async fn in_two_parts(server: &First) -> Streaming<Item> {
    let (sender, items) = Streaming::channel(4);
    for name in ["a", "b"] {
        sender.send(Ok(Item::named(name))).await.unwrap();
    }
    tokio::spawn(rest(sender, server.ended_later()));
    items
}

async fn rest(sender: mpsc::Sender<Result<Item, Status>>, ended: impl Future<Output = ()>) {
    ended.await;
    let _ = sender.send(Ok(Item::named("c"))).await;
}

/// Every way in which a connection says that it did not take a call, direct and through a gateway.
fn ways() -> impl Iterator<Item = (Ending, bool)> {
    [Ending::LeftOut, Ending::Refused].into_iter().flat_map(|ending| [(ending, false), (ending, true)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_stream_that_the_connection_did_not_take_is_made_again_whole() {
    for (ending, through_gateway) in ways() {
        let server = First::serve(Stock::new(), ending, TWO).await;
        let client = client(&server, through_gateway).await;
        let summary = within(client.import(in_two_parts(&server).await).into_future()).await;
        let summary = summary.unwrap_or_else(|status| panic!("{ending:?}, {through_gateway}: {status}"));
        assert_eq!(summary.names, ["a", "b", "c"], "{ending:?}");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_both_directions_that_the_connection_did_not_take_is_made_again_whole() {
    for (ending, through_gateway) in ways() {
        let server = First::serve(Stock::new(), ending, TWO).await;
        let client = client(&server, through_gateway).await;
        let items = within(client.sync(in_two_parts(&server).await).into_future()).await;
        let mut items = items.unwrap_or_else(|status| panic!("{ending:?}, {through_gateway}: {status}"));
        for name in ["a", "b", "c"] {
            assert_eq!(within(items.message()).await.unwrap().unwrap().name, name, "{ending:?}");
        }
        assert_eq!(within(items.message()).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_one_request_that_the_connection_did_not_take_is_made_again() {
    for (ending, through_gateway) in ways() {
        let server = First::serve(Stock::new(), ending, 1).await;
        let client = client(&server, through_gateway).await;
        assert_eq!(within(client.get(GetRequest::named("anvil")).into_future()).await.unwrap().name, "anvil");
        let server = First::serve(Stock::new(), ending, 1).await;
        let client = self::client(&server, through_gateway).await;
        let mut items = within(client.watch(WatchRequest { count: 1 }).into_future()).await.unwrap();
        assert_eq!(within(items.message()).await.unwrap().unwrap().name, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_first_messages_were_too_large_to_keep_is_not_processed_and_not_made_again() {
    const LARGE: usize = 300 << 10;
    let server = First::serve(Stock::new(), Ending::LeftOut, LARGE).await;
    let client = client(&server, false).await;
    let items = Streaming::from_iter((0..8).map(|_| Item::pictured(64 << 10)));
    let status = within(client.import(items).into_future()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.is_not_processed(), "{status}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_connection_breaks_is_not_made_again_and_may_have_been_executed() {
    let maybe = |status: Status| {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(!status.is_not_processed(), "{status}");
        assert!(status.message().ends_with("the call may have been executed"), "{status}");
    };
    let server = First::serve(Stock::new(), Ending::Broken, 1).await;
    let client = client(&server, false).await;
    maybe(within(client.label(GetRequest::named("anvil")).into_future()).await.unwrap_err());
    assert_eq!(server.connections(), 1);
    let server = First::serve(Stock::new(), Ending::Broken, TWO).await;
    let client = self::client(&server, false).await;
    maybe(within(client.import(in_two_parts(&server).await).into_future()).await.unwrap_err());
    assert_eq!(server.connections(), 1);
}
