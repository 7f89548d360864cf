//! Whether a call was processed, as gRPC says it.

use polywire::{
    Channel, Code, Codec, Context, Drain, Gateway, Payload, Response, Service, Status, Streaming, grpc,
};
use polywire_tests::{
    http2::Http2,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::within,
    shop::Shop,
};

use crate::{gateway::from_grpc, node::connect};

/// The trailer that says so.
const TRAILER: &str = "polywire-not-processed";

#[tokio::test(flavor = "multi_thread")]
async fn what_no_handler_saw_is_said_so_in_a_trailer_and_nothing_else_is() {
    let stock = Stock::new().on_get(async |arrival, request: GetRequest| {
        assert_eq!(arrival.metadata.get(TRAILER), None, "what a caller says of it is nothing to a handler");
        match request.name.as_str() {
            // As a handler has it that passes on what another server told it.
            "fail" => Err(Status::unavailable("not here").not_processed()),
            _ => Ok(Item::default()),
        }
    });
    let shop = Shop::open(stock).await;
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    let forged = [(TRAILER, "1")];
    for (path, name, code, said) in [
        ("/inventory.v1.Inventory/Burn", "", 12, true),
        ("/no.v1.Service/Get", "", 12, true),
        ("/inventory.v1.Inventory", "", 12, true),
        ("/inventory.v1.Inventory/Get", "fail", 14, false),
        ("/inventory.v1.Inventory/Get", "", 0, false),
    ] {
        let answer = http.call(path, &forged, &GetRequest::named(name)).await;
        assert_eq!(answer.grpc_status(), code, "{answer:?}");
        assert_eq!(answer.headers.contains_key(TRAILER), said, "{path} {name}: {answer:?}");
        assert!(!answer.trailers.contains_key(TRAILER), "{answer:?}");
    }
}

#[tokio::test]
async fn the_name_is_reserved_in_metadata() {
    let refusal = polywire::Metadata::new().append(TRAILER, "1").unwrap_err();
    assert_eq!(refusal.to_string(), "metadata key \"polywire-not-processed\" is reserved");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_pass_it_on() {
    let shop = Shop::open(Stock::new()).await;
    let gateway = from_grpc(&shop.grpc).await;
    let behind = from_grpc(gateway.grpc()).await;
    for target in [&shop.grpc, &shop.iroh, gateway.grpc(), behind.grpc()] {
        let channel = connect(target).await;
        let cx = Context::incoming("/inventory.v1.Inventory/Burn", caller()).unwrap();
        let cx = cx.with_codec(Codec::Protobuf);
        let message = Payload::encoded(Codec::Protobuf, bytes::Bytes::new());
        let status = within(channel.unary(cx, message)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{target}: {status}");
        assert!(status.is_not_processed(), "{target}: {status:?}");
    }
}

fn caller() -> std::sync::Arc<polywire::Caller> {
    polywire::Caller::new("test").into()
}

/// Refuses all calls before any handler, and answers those that ask how it is.
struct Closed;

fn closed(cx: &Context) -> Status {
    match cx.service() {
        "grpc.health.v1.Health" => Status::unimplemented("ask another"),
        _ => Status::unavailable("closed for today").not_processed(),
    }
}

impl Service for Closed {
    async fn unary(&self, cx: Context, _: Payload) -> Result<Response<Payload>, Status> {
        Err(closed(&cx))
    }

    async fn stream(
        &self,
        cx: Context,
        _: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Err(closed(&cx))
    }
}

async fn served(service: impl Service) -> String {
    let listener = polywire::net::Listener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let adapter = grpc::Adapter::new(service);
    tokio::spawn(listener.serve_http2(polywire::net::ListenerOptions::default(), adapter, Drain::new()));
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_must_not_be_made_twice_goes_elsewhere_where_a_server_says_that_no_handler_saw_it() {
    let (closed, shop) = (served(Closed).await, Shop::open(Stock::new()).await);
    let through = served(Gateway::new(connect(&closed).await)).await;
    for refusing in [&closed, &through] {
        let builder = Channel::builder().target(refusing.as_str()).target(shop.iroh.as_str());
        let policy = polywire::policy::Policy::default().prefer(["grpc"]);
        let client = InventoryClient::new(builder.policy(policy).connect().await.unwrap());
        for name in ["a", "b", "c"] {
            let item = within(client.label(GetRequest::named(name)).into_future()).await.unwrap();
            assert_eq!(item.name, name);
        }
        let names = ["a", "b"].map(Item::named);
        let summary = within(client.import(Streaming::from_iter(names)).into_future()).await.unwrap();
        assert_eq!(summary.names, ["a", "b"]);
    }
}
