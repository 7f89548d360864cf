use std::{fs, time::Duration};

use polywire_proto::grpc::health::v1::health_check_response::ServingStatus;
use polywire_services::health::HealthClient;
use polywire_tests::{
    node::Node,
    patience::{eventually, within},
};

use super::{ask, connect, health, status};
use crate::metrics::{samples, value};

#[tokio::test]
async fn every_call_is_counted_once_under_its_transport_and_code() {
    let node = Node::start(&[]).await;
    for (target, calls) in [(node.grpc(), 3), (node.iroh(), 5)] {
        for _ in 0..calls {
            health(target, "").await.unwrap();
        }
        health(target, "nobody").await.unwrap_err();
    }
    let samples = samples(&node.get("/metrics").await.body);
    for (transport, calls) in [("grpc", 3.0), ("iroh", 5.0)] {
        let of = [("service", "grpc.health.v1.Health"), ("method", "Check"), ("transport", transport)];
        let with = |code| [of.as_slice(), &[("code", code)]].concat();
        assert_eq!(value(&samples, "polywire_server_calls_total", &with("OK")), calls);
        assert_eq!(value(&samples, "polywire_server_calls_total", &with("NOT_FOUND")), 1.0);
        assert_eq!(value(&samples, "polywire_server_call_duration_seconds_count", &of), calls + 1.0);
        assert!(value(&samples, "polywire_server_call_duration_seconds_sum", &of) > 0.0);
        assert_eq!(value(&samples, "polywire_server_calls_in_flight", &of), 0.0);
        assert_eq!(value(&samples, "polywire_server_messages_received_total", &of), calls + 1.0);
        assert_eq!(value(&samples, "polywire_server_messages_sent_total", &of), calls);
        // "nobody" at the least, and each SERVING.
        assert!(value(&samples, "polywire_server_bytes_received_total", &of) >= 8.0);
        assert!(value(&samples, "polywire_server_bytes_sent_total", &of) >= 2.0 * calls);
    }
    for series in samples.keys() {
        assert!(!series.contains(&node.targets.node_id), "a peer's id is no label: {series}");
    }
}

#[tokio::test]
async fn a_stream_is_in_flight_until_its_end_and_is_counted_once() {
    let node = Node::start(&[]).await;
    for (target, transport) in [(node.grpc(), "grpc"), (node.iroh(), "iroh")] {
        let of = [("service", "grpc.health.v1.Health"), ("method", "Watch"), ("transport", transport)];
        let client = HealthClient::new(connect(target).await);
        let mut watch = client.watch(ask("")).await.unwrap();
        within(watch.message()).await.unwrap();
        let page = samples(&node.get("/metrics").await.body);
        assert_eq!(value(&page, "polywire_server_calls_in_flight", &of), 1.0);
        assert_eq!(
            value(&page, "polywire_connections", &[("transport", transport), ("role", "server")]),
            1.0
        );
        drop((watch, client));
        eventually("the cancelled watch is counted", async || {
            let page = samples(&node.get("/metrics").await.body);
            let over = value(&page, "polywire_server_calls_in_flight", &of) == 0.0;
            let with_code = [of.as_slice(), &[("code", "CANCELLED")]].concat();
            over.then(|| assert_eq!(value(&page, "polywire_server_calls_total", &with_code), 1.0))
        })
        .await;
    }
}

#[tokio::test]
async fn metrics_come_in_the_format_that_was_asked_for() {
    let node = Node::start(&[]).await;
    health(node.grpc(), "").await.unwrap();
    let text = node.try_get("/metrics", "text/plain").await.unwrap();
    assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{}", text.head);
    assert!(text.body.contains("# TYPE polywire_server_calls_total counter\n"), "{}", text.body);
    let open =
        node.try_get("/metrics", "application/openmetrics-text; version=1.0.0, text/plain;q=0.5").await;
    let open = open.unwrap();
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.body.contains("# TYPE polywire_server_calls counter\n"), "{}", open.body);
    assert!(open.body.ends_with("# EOF\n"));
    assert!(!text.body.contains("# EOF"));
    let known = |page: &str| {
        samples(page).into_keys().filter(|series| series.starts_with("polywire_server_calls_total")).count()
    };
    assert_eq!((known(&text.body), known(&open.body)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_data_directory_is_gone_says_so_everywhere_and_recovers() {
    let node = Node::start(&["--health.check_interval=100ms"]).await;
    let client = HealthClient::new(connect(node.iroh()).await);
    let mut watch = client.watch(ask("")).await.unwrap();
    assert_eq!(status(&within(watch.message()).await.unwrap().unwrap()), ServingStatus::Serving);
    assert_eq!(node.get("/readyz").await.status, 200);

    let hidden = node.directory().join("hidden");
    fs::rename(node.data_dir(), &hidden).unwrap();
    assert_eq!(status(&within(watch.message()).await.unwrap().unwrap()), ServingStatus::NotServing);
    let page = node.get("/readyz?verbose").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("data directory"), "{}", page.body);
    assert_eq!(health(node.grpc(), "").await.unwrap(), ServingStatus::NotServing);
    assert_eq!(node.get("/livez").await.status, 200);

    fs::rename(&hidden, node.data_dir()).unwrap();
    assert_eq!(status(&within(watch.message()).await.unwrap().unwrap()), ServingStatus::Serving);
    assert_eq!(node.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_get_is_405() {
    let node = Node::start(&[]).await;
    assert_eq!(node.get("/nothing").await.status, 404);
    let address = node.targets.http.as_deref().unwrap().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request =
        format!("POST /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer);
    tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}
