use polywire::{
    Code, Codec, Compression, Drain, Response, Router, ServiceExt as _, Status, Streaming,
    grpc::Adapter,
    iroh::Peer,
    net::{Listener, ListenerOptions},
};
use polywire_tests::{
    drops::Drops,
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::within,
};
use tonic::transport::Endpoint;

/// A gRPC channel to a gateway that serves nothing itself, before a peer that only speaks Iroh.
async fn through_a_gateway(stock: Stock) -> (tonic::transport::Channel, impl Sized) {
    let peer = endpoint::plain().await;
    let router = iroh::protocol::Router::builder(peer.clone())
        .accept(polywire::iroh::ALPN, stock.server().into_iroh())
        .spawn();
    let gateway = Router::new();
    gateway.set_fallback(Peer::new(endpoint::plain().await, peer.addr()));
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let adapter = Adapter::new(gateway.into_channel());
    tokio::spawn(listener.serve_http2(ListenerOptions::default(), adapter, Drain::new()));
    (Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy(), router)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_reaches_a_peer_that_only_speaks_iroh_in_either_codec() {
    let stock = Stock::new().on_get(async |arrival, _| {
        let codec = arrival.codec.map_or("none", Codec::name);
        let transport = arrival.caller.map_or("none", |caller| caller.transport);
        Ok(Item::named(format!("{codec} over {transport}")))
    });
    let (channel, _held) = through_a_gateway(stock).await;
    let client = InventoryClient::new(channel);
    for codec in [Codec::Protobuf, Codec::MessagePack] {
        // The gateway knows no type, so it cannot have translated anything.
        let item = client.get(GetRequest::default()).codec(codec).await.unwrap();
        assert_eq!(item.name, format!("{codec} over iroh"));
    }
    let (sender, items) = Streaming::channel(1);
    sender.send(Ok(Item::named("a"))).await.unwrap();
    let mut echoes = client.sync(items).await.unwrap();
    assert_eq!(echoes.message().await.unwrap(), Some(Item::named("a")));
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_and_cancellation_cross_a_gateway() {
    let mut drops = Drops::new();
    let guards = drops.guards();
    let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
    let stock = Stock::new().on_get(move |_, request: GetRequest| {
        let guard = guards.guard();
        begun.send(()).unwrap();
        async move {
            if request.name == "fail" {
                return Err(Status::data_loss("größer").with_details(vec![0xff]));
            }
            std::future::pending::<()>().await;
            drop(guard);
            Ok(Item::default())
        }
    });
    let (channel, _held) = through_a_gateway(stock).await;
    let client = InventoryClient::new(channel);
    let status = client.get(GetRequest::named("fail")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), &status.details()[..]),
        (Code::DataLoss, "größer", &[0xff][..])
    );
    within(beginnings.recv()).await.unwrap();
    drops.next().await;
    let call = tokio::spawn(client.get(GetRequest::named("wait")).into_future());
    within(beginnings.recv()).await.unwrap();
    call.abort();
    drops.next().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compressed_is_compressed_behind_a_gateway_too() {
    let stock = Stock::new()
        .on_get(async |arrival, request: GetRequest| {
            let name = arrival.compression.map_or("none", Compression::name);
            let item = Item { picture: request.picture, ..Item::named(name) };
            Ok(Response::new(item).with_compression(Compression::Gzip))
        })
        .on_sync(async |_, items: Streaming<Item>| {
            Ok(Response::new(items).with_compression(Compression::Zstd))
        });
    let (channel, _held) = through_a_gateway(stock).await;
    let client = InventoryClient::new(channel);
    let request = GetRequest { picture: vec![1; 10_000].into(), ..GetRequest::default() };
    let answer = client.get(request).compression(Compression::Zstd).response().await.unwrap();
    assert_eq!((answer.compression, &*answer.message.name), (Some(Compression::Gzip), "zstd"));
    let choices = [true, false, true];
    let items = choices.map(|compressed| Item { count: compressed.into(), ..Item::pictured(1_000) });
    let items = Streaming::from_iter(items).compress_if(|item: &Item| item.count == 1);
    // The handler sends on what came, as it came.
    let mut echoes = client.sync(items).compression(Compression::Zstd).await.unwrap();
    for compressed in choices {
        assert!(echoes.message().await.unwrap().is_some());
        assert_eq!(echoes.last_compression(), compressed.then_some(Compression::Zstd));
    }
}
