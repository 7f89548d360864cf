use bytes::Bytes;
use http::Method;
use polywire_proto::grpc::health::v1::health_check_response::ServingStatus;
use polywire_services::health::HealthClient;
use polywire_tests::{http2::Http2, node::Node, patience::within};

use crate::node::{ask, connect, status};

const CHECK: &str = "/grpc.health.v1.Health/Check";

#[tokio::test]
async fn what_is_not_grpc_is_told_so_in_http() {
    let node = Node::start(&[]).await;
    let client = Http2::connect(node.grpc_address()).await;
    for content_type in ["application/json", "text/plain", "application/grpcx"] {
        let answer =
            client.request(Method::POST, CHECK, &[("content-type", content_type)], Bytes::new()).await;
        assert_eq!((answer.status, answer.headers.get("grpc-status")), (415, None), "{content_type}");
    }
    let answer = client.request(Method::POST, CHECK, &[], Bytes::new()).await;
    assert_eq!(answer.status, 415);
    let answer =
        client.request(Method::GET, CHECK, &[("content-type", "application/grpc")], Bytes::new()).await;
    assert_eq!(answer.status, 405);
    assert_eq!(client.call(CHECK, &[], &ask("")).await.grpc_status(), 0);
}

#[tokio::test]
async fn codes_that_bare_tonic_gets_wrong_are_right() {
    let node = Node::start(&["--transport.grpc.max_message_size=1000"]).await;
    let client = Http2::connect(node.grpc_address()).await;
    // A watch never ends, but for its deadline.
    let late = client.call("/grpc.health.v1.Health/Watch", &[("grpc-timeout", "100m")], &ask("")).await;
    assert_eq!(late.grpc_status(), 4, "{late:?}");
    let large = client.call(CHECK, &[], &ask(&"x".repeat(1_001))).await;
    assert_eq!(large.grpc_status(), 8, "{large:?}");
    let fields = [("content-type", "application/grpc"), ("te", "trailers")];
    let twice = [0_u8, 0, 0, 0, 0].repeat(2);
    let twice = client.request(Method::POST, CHECK, &fields, twice.into()).await;
    assert!([12, 13].contains(&twice.grpc_status()), "{twice:?}");
    let garbage = client.request(Method::POST, CHECK, &fields, Bytes::from_static(&[9, 9, 9, 9, 9, 9])).await;
    assert_eq!(garbage.grpc_status(), 8, "an absurd length: {garbage:?}");
    let garbage = client.request(Method::POST, CHECK, &fields, Bytes::from_static(&[9, 0, 0, 0, 0])).await;
    assert_eq!(garbage.grpc_status(), 13, "an unknown flag: {garbage:?}");
    let cut = client.request(Method::POST, CHECK, &fields, Bytes::from_static(&[0, 0, 0, 0, 9, 1])).await;
    assert_eq!(cut.grpc_status(), 13, "a message cut off: {cut:?}");
    let compressed = client.request(Method::POST, CHECK, &fields, Bytes::from_static(&[1, 0, 0, 0, 0])).await;
    assert_eq!(compressed.grpc_status(), 13, "compressed, and no word with what: {compressed:?}");
    let brotli = client.call(CHECK, &[("grpc-encoding", "br")], &ask("")).await;
    assert_eq!(brotli.grpc_status(), 12, "{brotli:?}");
    assert_eq!(brotli.headers.get("grpc-accept-encoding").unwrap(), "identity,gzip,zstd");
    let malformed = client.call(CHECK, &[("grpc-timeout", "soon")], &ask("")).await;
    assert_ne!(malformed.grpc_status(), 0, "{malformed:?}");
    assert_eq!(client.call(CHECK, &[], &ask("")).await.grpc_status(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_an_unknown_service_says_so_and_stays_open() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        let client = HealthClient::new(connect(target).await);
        let mut watch = client.watch(ask("nobody")).await.unwrap();
        let first = within(watch.message()).await.unwrap().unwrap();
        assert_eq!(status(&first), ServingStatus::ServiceUnknown);
        let more = tokio::time::timeout(std::time::Duration::from_millis(300), watch.message()).await;
        assert!(more.is_err(), "{more:?}");
    }
}
