use bytes::Bytes;
use http::Method;
use polywire::{Compression, Response};
use polywire_tests::{
    http2::Http2,
    inventory::{GetRequest, Item, Stock},
    shop::Shop,
};

const GET: &str = "/inventory.v1.Inventory/Get";

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_answer_is_compressed_for_those_who_say_that_they_accept_it() {
    let stock = Stock::new()
        .on_get(async |_, _| Ok(Response::new(Item::pictured(5_000)).with_compression(Compression::Gzip)));
    let shop = Shop::open(stock).await;
    let client = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    for (accepts, encoding, flag) in
        [(Some("identity, br,gzip"), Some("gzip"), 1), (Some("zstd"), None, 0), (None, None, 0)]
    {
        let fields = accepts.map(|accepts| ("grpc-accept-encoding", accepts));
        let answer = client.call(GET, fields.as_slice(), &GetRequest::default()).await;
        assert_eq!(answer.grpc_status(), 0, "{answer:?}");
        let said = answer.headers.get("grpc-encoding").map(|value| value.to_str().unwrap());
        assert_eq!((said, answer.body[0]), (encoding, flag), "{accepts:?}");
        assert_eq!(answer.body.len() < 500, flag == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_request_that_says_gzip_and_is_none_is_internal() {
    let shop = Shop::open(Stock::new()).await;
    let client = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    let fields = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")];
    for (body, status) in [
        (&b"\x01\0\0\0\x05hello"[..], 13),
        (b"\x01\0\0\0\0", 13),
        // Each message may be plain nevertheless.
        (b"\0\0\0\0\0", 0),
    ] {
        let answer = client.request(Method::POST, GET, &fields, Bytes::from_static(body)).await;
        assert_eq!(answer.grpc_status(), status, "{body:?}: {answer:?}");
    }
}
