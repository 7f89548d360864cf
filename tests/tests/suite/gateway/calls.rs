use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use polywire::{Code, ConnectOptions, Limits, Metadata, Response, Status, Streaming, Target, iroh::Handler};
use polywire_tests::{
    drops::Drops,
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    node::Node,
    patience::{eventually, settled, within},
    shop::Shop,
};
use tokio::sync::mpsc;

use super::{from_grpc, from_iroh};
use crate::node::connect;

/// gRPC to a gateway, Iroh to another, gRPC to the shop.
struct Chain {
    client: InventoryClient,
    first: Node,
    _second: Node,
    _shop: Shop,
}

impl Chain {
    async fn to(stock: Stock) -> Self {
        let shop = Shop::open(stock).await;
        let second = from_iroh(&shop.grpc).await;
        let first = from_grpc(second.iroh()).await;
        let client = InventoryClient::new(connect(first.grpc()).await);
        Self { client, first, _second: second, _shop: shop }
    }
}

fn sample(of: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("of", of).unwrap();
    metadata.append("twice", "first").unwrap();
    metadata.append("twice", "second, with a comma").unwrap();
    metadata.insert_bin("raw-bin", vec![0, 0xff, 0x80]).unwrap();
    metadata
}

#[track_caller]
fn assert_sample(metadata: &Metadata, of: &str) {
    let expected = sample(of);
    for key in ["of", "twice"] {
        assert!(metadata.get_all(key).eq(expected.get_all(key)), "{metadata:?}");
    }
    assert!(metadata.get_all_bin("raw-bin").eq(expected.get_all_bin("raw-bin")), "{metadata:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_crosses_a_chain_of_gateways() {
    let chain = Chain::to(Stock::new()).await;
    let client = &chain.client;
    assert_eq!(client.get(GetRequest::named("anvil")).await.unwrap().name, "anvil");
    let mut items = client.watch(WatchRequest { count: 300 }).await.unwrap();
    let mut count = 0;
    while let Some(item) = within(items.message()).await.unwrap() {
        assert_eq!(item.name, count.to_string());
        count += 1;
    }
    assert_eq!(count, 300);
    let names = ["a", "b", "c"].map(Item::named);
    assert_eq!(client.import(Streaming::from_iter(names)).await.unwrap().names, ["a", "b", "c"]);
    assert!(client.import(Streaming::empty()).await.unwrap().names.is_empty());
    // Each question is answered before the next, and the end of the requests is not that of the answers.
    let (sender, items) = Streaming::channel(1);
    let mut echoes = client.sync(items).await.unwrap();
    for number in 0..5 {
        sender.send(Ok(Item::named(number.to_string()))).await.unwrap();
        assert_eq!(within(echoes.message()).await.unwrap().unwrap().name, number.to_string());
    }
    drop(sender);
    assert_eq!(within(echoes.message()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_statuses_cross_a_chain_of_gateways() {
    let stock = Stock::new()
        .on_get(async |arrival, request: GetRequest| {
            assert_sample(&arrival.metadata, "caller");
            match request.name.parse() {
                Ok(number) => Err(Status::new(Code::from_number(number), "größer % ∞\n")
                    .with_details(vec![0, 0xff])
                    .with_metadata(sample("failure"))),
                Err(_) => {
                    let item = Response::new(Item::default());
                    Ok(item.with_metadata(sample("lead")).with_trailers(sample("trail")))
                }
            }
        })
        .on_watch(async |_, _| {
            let failed = Status::aborted("half way").with_details(vec![7]).with_metadata(sample("failure"));
            let items = Streaming::new(futures_util::stream::iter([Ok(Item::named("0")), Err(failed)]));
            Ok(Response::new(items).with_metadata(sample("lead")))
        });
    let chain = Chain::to(stock).await;
    let get = |name: &str| {
        let call = chain.client.get(GetRequest::named(name)).metadata("of", "caller");
        let call = call.metadata("twice", "first").metadata("twice", "second, with a comma");
        call.metadata_bin("raw-bin", vec![0, 0xff, 0x80])
    };
    let response = get("").response().await.unwrap();
    assert_sample(&response.metadata, "lead");
    assert_sample(&response.trailers, "trail");
    for code in Code::ALL.into_iter().filter(|code| *code != Code::Ok) {
        let status = get(&code.number().to_string()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, "größer % ∞\n"));
        assert_eq!(&status.details()[..], [0, 0xff]);
        assert_sample(status.metadata(), "failure");
    }
    let response = chain.client.watch(WatchRequest::default()).response().await.unwrap();
    assert_sample(&response.metadata, "lead");
    let mut items = response.message;
    assert_eq!(within(items.message()).await.unwrap().unwrap().name, "0");
    let status = within(items.message()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), &status.details()[..]),
        (Code::Aborted, "half way", &[7][..])
    );
    assert_sample(status.metadata(), "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_and_giving_up_reach_the_server_behind_a_chain_of_gateways() {
    let mut drops = Drops::new();
    let guards = drops.guards();
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    let (begun_too, guards_too) = (begun.clone(), drops.guards());
    let stock = Stock::new()
        .on_get(move |arrival, _| {
            let guard = guards.guard();
            begun.send(arrival.time_left).unwrap();
            async move {
                let _guard = guard;
                pending::<Result<Item, Status>>().await
            }
        })
        .on_watch(move |arrival, _| {
            begun_too.send(arrival.time_left).unwrap();
            let guard = guards_too.guard();
            let items = futures_util::stream::unfold(guard, async |guard| {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Some((Ok(Item::default()), guard))
            });
            async move { Ok(Streaming::new(items)) }
        });
    let chain = Chain::to(stock).await;
    // Connections are made first, so that the deadline is the handler's alone.
    let mut warm = chain.client.watch(WatchRequest::default()).await.unwrap();
    within(beginnings.recv()).await.unwrap();
    within(warm.message()).await.unwrap().unwrap();
    drop(warm);
    drops.next().await;

    let call = chain.client.get(GetRequest::default()).timeout(Duration::from_millis(500));
    assert_eq!(within(call.into_future()).await.unwrap_err().code(), Code::DeadlineExceeded);
    let left = within(beginnings.recv()).await.unwrap().unwrap();
    assert!(left <= Duration::from_millis(500) && !left.is_zero(), "{left:?}");
    drops.next().await;

    let call =
        tokio::spawn(chain.client.get(GetRequest::default()).timeout(Duration::from_secs(100)).into_future());
    let left = within(beginnings.recv()).await.unwrap().unwrap();
    assert!((Duration::from_secs(90)..=Duration::from_secs(100)).contains(&left), "{left:?}");
    call.abort();
    drops.next().await;

    let mut items = chain.client.watch(WatchRequest::default()).await.unwrap();
    assert_eq!(within(beginnings.recv()).await.unwrap(), None);
    within(items.message()).await.unwrap().unwrap();
    drop(items);
    drops.next().await;
}

/// The stock's methods as a client sees them that does not know their shapes.
mod misread {
    use polywire::{Status, Streaming};
    use polywire_tests::inventory::{GetRequest, Item};

    #[polywire::service(package = "inventory.v1")]
    pub(super) trait Inventory {
        async fn get(&self, requests: Streaming<GetRequest>) -> Result<Item, Status>;
        async fn burn(&self, request: GetRequest) -> Result<Item, Status>;
    }

    #[polywire::service(package = "nobody.v1")]
    pub(super) trait Nobody {
        async fn get(&self, request: GetRequest) -> Result<Item, Status>;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_serve_is_for_the_server_to_say() {
    let chain = Chain::to(Stock::new()).await;
    let channel = connect(chain.first.grpc()).await;
    let misread = misread::InventoryClient::new(channel.clone());
    for requests in [0, 2] {
        let requests = (0..requests).map(|number| GetRequest::named(number.to_string()));
        let status = misread.get(Streaming::from_iter(Vec::from_iter(requests))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("exactly one message was expected"), "{status}");
    }
    let one = Streaming::once(GetRequest::named("anvil"));
    assert_eq!(misread.get(one).await.unwrap().name, "anvil");
    let status = misread.burn(GetRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "no method /inventory.v1.Inventory/Burn is served here")
    );
    let status = misread::NobodyClient::new(channel).get(GetRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "no method /nobody.v1.Nobody/Get is served here")
    );
}

/// A request of `get` of this many bytes in protobuf, where it has more than 2 MiB.
fn request_of(bytes: usize) -> GetRequest {
    // A tag, and a length in four bytes.
    GetRequest { picture: vec![0xab; bytes - 5].into(), ..GetRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_the_gateway_hold() {
    let stock = Stock::new()
        .on_get(async |_, request: GetRequest| Ok(Item::named(request.picture.len().to_string())))
        .on_watch(async |_, request: WatchRequest| {
            Ok(Streaming::from_iter([Item::pictured(request.count as usize)]))
        });
    let large = Limits { max_message_bytes: 64 << 20, ..Limits::default() };
    let peer = endpoint::plain().await;
    let _serving = iroh::protocol::Router::builder(peer.clone())
        .accept(polywire::iroh::ALPN, Handler::new(stock.server()).limits(large.clone()))
        .spawn();
    let peer = Target::from(peer.addr()).to_string();
    let listen = ["--listen", "grpc://127.0.0.1:0"];
    let usual = Node::gateway(listen.into_iter().chain([peer.as_str()])).await;
    let wide = ["--transport.grpc.max_message_size=16777216", peer.as_str()];
    let wide = Node::gateway(listen.into_iter().chain(wide)).await;
    for (gateway, limit) in [(&usual, 4 << 20), (&wide, 16 << 20)] {
        let target: Target = gateway.grpc().parse().unwrap();
        let options = ConnectOptions::new().limits(large.clone());
        let client = InventoryClient::new(target.connect(&options).await.unwrap());
        let answer = within(client.get(request_of(limit)).into_future()).await.unwrap();
        assert_eq!(answer.name, (limit - 5).to_string());
        let status = within(client.get(request_of(limit + 1)).into_future()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let picture = u32::try_from(limit).unwrap();
        let mut items = client.watch(WatchRequest { count: picture }).await.unwrap();
        let status = within(items.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let mut items = client.watch(WatchRequest { count: picture - 16 }).await.unwrap();
        assert_eq!(within(items.message()).await.unwrap().unwrap().picture.len(), limit - 16);
    }
}

/// The size of one item of a stream without end.
const SIZE: usize = 64 << 10;

/// How far a server may be ahead of a reader that rests: the windows of three connections, both ends, generously.
const AHEAD: usize = (96 << 20) / SIZE;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_rests_stops_the_server_behind_a_chain_of_gateways() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let stock = Stock::new().on_watch(move |_, _| {
        let counter = counter.clone();
        let items = futures_util::stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Item::pictured(SIZE))
        });
        async move { Ok(Streaming::new(items)) }
    });
    let chain = Chain::to(stock).await;
    let mut items = chain.client.watch(WatchRequest::default()).await.unwrap();
    within(items.message()).await.unwrap().unwrap();
    let stopped = settled(Duration::from_millis(500), || taken.load(Ordering::SeqCst)).await;
    assert!(stopped <= AHEAD, "the server is {stopped} items ahead");
    for _ in 0..stopped + 100 {
        within(items.message()).await.unwrap().unwrap();
    }
    eventually("the server goes on", async || (taken.load(Ordering::SeqCst) > stopped).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_the_gateway_as_its_caller() {
    let stock = Stock::new().on_get(async |arrival, _| {
        let caller = arrival.caller.unwrap();
        Ok(Item::named(format!("{} over {}", caller.identity.unwrap(), caller.transport)))
    });
    let shop = Shop::open(stock).await;
    let grpc_alone = from_grpc(&shop.iroh).await;
    let both = Node::gateway(["--listen", "grpc://127.0.0.1:0", "--listen", "iroh", &shop.iroh]).await;
    for gateway in [grpc_alone, both] {
        let client = InventoryClient::new(connect(gateway.grpc()).await);
        let seen = client.get(GetRequest::default()).await.unwrap().name;
        assert_eq!(seen, format!("key:{} over iroh", gateway.targets.node_id));
    }
}
