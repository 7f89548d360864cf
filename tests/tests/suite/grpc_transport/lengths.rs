use polywire::{Code, Limits, Metadata, Response, Status};
use polywire_tests::{
    http2::Http2,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::within,
    shop::Shop,
};

use crate::{
    gateway::{from_grpc, from_iroh},
    node::connect,
    python,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_long_status_arrives_at_grpcio_every_time() {
    let shop = Shop::open(python::stock()).await;
    python::run_against("lengths.py", [("SHOP_ADDRESS", &shop.grpc)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_long_status_arrives_at_grpcio_through_gateways() {
    let shop = Shop::open(python::stock()).await;
    let over_iroh = from_grpc(&shop.iroh).await;
    python::run_against("lengths.py", [("SHOP_ADDRESS", over_iroh.grpc())]).await;
}

/// What HTTP/2 says a list of headers weighs (RFC 9113, section 6.5.2).
fn weight(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// Fails with a message, details and metadata that weigh what the name says, in thousands.
fn heavy() -> Stock {
    Stock::new().on_get(async |_, request: GetRequest| {
        let mut weights = request.name.split(' ').map(|number| number.parse::<usize>().unwrap() * 1_000);
        let [message, details, metadata] = std::array::from_fn(|_| weights.next().unwrap());
        let mut trailing = Metadata::new();
        if metadata > 0 {
            trailing.insert("heavy", "m".repeat(metadata)).unwrap();
        }
        let status = Status::aborted("ä".repeat(message / 6)).with_details(vec![7; details]);
        Err::<Item, _>(status.with_metadata(trailing))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_failed_call_stays_within_what_every_peer_takes() {
    let shop = Shop::open(heavy()).await;
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    // The message gives way first, then the details, then the metadata.
    for (asked, [message, details, metadata]) in [
        ("9 0 0", [true, false, false]),
        ("9 3 0", [true, true, false]),
        ("9 3 2", [true, true, true]),
        ("9 9 2", [true, false, true]),
        ("9 9 9", [true, false, false]),
        ("0 9 2", [true, false, true]),
        ("0 3 2", [false, true, true]),
    ] {
        let answer = http.call("/inventory.v1.Inventory/Get", &[], &GetRequest::named(asked)).await;
        assert_eq!(answer.grpc_status(), 10, "{asked}: {answer:?}");
        assert!(weight(&answer.headers) <= 8_100, "{asked}: {}", weight(&answer.headers));
        let there = |name| answer.headers.get(name).is_some();
        let found = [there("grpc-message"), there("grpc-status-details-bin"), there("heavy")];
        assert_eq!(found, [message, details, metadata], "{asked}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_status_has_to_leave_out_is_said_in_its_message() {
    let shop = Shop::open(heavy()).await;
    for target in [&shop.grpc, &shop.iroh] {
        let client = InventoryClient::new(connect(target).await);
        let status = within(client.get(GetRequest::named("120 20 0")).into_future()).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted, "{status}");
        let message = status.message();
        assert!(message.starts_with("ää") && message.contains('…'), "{message}");
        assert!(message.ends_with("[left out: 20000 bytes of details]"), "{target}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_more_gets_more() {
    let stock = Stock::new().on_get(async |_, _| {
        let mut heavy = Metadata::new();
        heavy.insert("heavy", "m".repeat(12_000)).unwrap();
        Ok(Response::new(Item::default()).with_metadata(heavy.clone()).with_trailers(heavy))
    });
    let shop = Shop::open(stock).await;
    let client = InventoryClient::new(connect(&shop.grpc).await);
    let response = within(client.get(GetRequest::default()).response()).await.unwrap();
    for metadata in [&response.metadata, &response.trailers] {
        assert_eq!(metadata.get("heavy").map(str::len), Some(12_000));
    }
    // One that has not said so is told at once, and not by chance.
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    let answer = http.call("/inventory.v1.Inventory/Get", &[], &GetRequest::default()).await;
    assert_eq!(answer.grpc_status(), 8, "{answer:?}");
    assert!(weight(&answer.headers) <= 8_100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_sent_is_quoted_in_short() {
    let shop = Shop::open(Stock::new()).await;
    let long = "a".repeat(6_000);
    let binary = format!("{long}-bin");
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    let said = async |path: &str, fields: &[(&str, &str)]| {
        let answer = http.call(path, fields, &GetRequest::default()).await;
        (answer.grpc_status(), answer.headers["grpc-message"].to_str().unwrap().to_owned())
    };
    for (path, fields, code) in [
        (format!("/inventory.v1.Inventory/{long}"), vec![], 12),
        (format!("/{long}.v1.Inventory/Get"), vec![], 12),
        ("/inventory.v1.Inventory/Get".to_owned(), vec![("grpc-encoding", long.as_str())], 12),
        ("/inventory.v1.Inventory/Get".to_owned(), vec![(binary.as_str(), "*")], 13),
    ] {
        let (found, message) = said(&path, &fields).await;
        assert_eq!(found, code, "{message}");
        assert!(message.len() < 1_000 && message.contains("aaaa"), "{} bytes: {message}", message.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_sent_over_iroh_is_quoted_in_short() {
    let shop = Shop::open(Stock::new()).await;
    let gateway = from_iroh(&shop.grpc).await;
    let limits = Limits { max_metadata_bytes: 64 << 10, ..Limits::default() };
    let options = polywire::ConnectOptions::new().limits(limits).codec(polywire::Codec::Protobuf);
    for target in [shop.iroh.as_str(), gateway.iroh()] {
        let target: polywire::Target = target.parse().unwrap();
        let channel = target.connect(&options).await.unwrap();
        let path = format!("/inventory.v1.Inventory/{}", "a".repeat(900));
        let method: &'static str = path.leak();
        let method: &'static polywire::Method = Box::leak(Box::new(polywire::Method::unary(method)));
        let body = polywire::Body::one(Item::default());
        let status =
            within(polywire::Call::<Item>::new(&channel, method, body).into_future()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
        assert!(status.message().len() < 400, "{status}");
    }
}
