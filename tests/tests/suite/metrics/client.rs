//! The calls and the connections that a node, or a program, makes itself.

use std::collections::{BTreeMap, BTreeSet};

use polywire::{
    ConnectOptions, Target,
    metrics::{Format, Metrics},
};
use polywire_services::health::HealthClient;
use polywire_tests::{
    node::Node,
    patience::{eventually, within},
};
use rustix::process::Signal;

use super::{samples, value};
use crate::{
    gateway::{from_grpc, from_iroh},
    node::{ask, connect, health},
};

/// The connections that were made over this transport and are there, where any has been.
fn connections(page: &BTreeMap<String, f64>, transport: &str) -> Option<f64> {
    page.get(&format!("polywire_connections{{role=\"client\",transport=\"{transport}\"}}")).copied()
}

/// So many calls over this transport have ended so; 0 where there is no such series.
fn ended(page: &BTreeMap<String, f64>, service: &str, transport: &str, code: &str) -> f64 {
    let labels = [("service", service), ("transport", transport), ("code", code)];
    let has_all =
        |series: &str| labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
    let own = page.iter().filter(|(series, _)| series.starts_with("polywire_client_calls_total{"));
    own.filter(|(series, _)| has_all(series)).map(|(_, count)| count).sum()
}

async fn page(node: &Node) -> BTreeMap<String, f64> {
    samples(&node.get("/metrics").await.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_transport_calls_and_connections_are_counted_where_they_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("--transport.unix.path={}", directory.path().join("node.sock").display());
    let node = Node::start(&[
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        &socket,
    ])
    .await;
    let others = node.targets.others.iter().map(|(name, target)| (name.as_str(), target.as_str()));
    let targets: Vec<_> = [("grpc", node.grpc()), ("iroh", node.iroh())].into_iter().chain(others).collect();
    assert_eq!(targets.len(), 5, "{targets:?}");
    for (transport, target) in targets {
        let metrics = Metrics::new();
        let now = || samples(&metrics.render(Format::Text));
        let options = ConnectOptions::new().metrics(metrics.clone());
        let channel = target.parse::<Target>().unwrap().connect(&options).await.unwrap();
        assert!(connections(&now(), transport).unwrap_or_default() < 1.0, "{transport}: nothing was dialled");
        let client = HealthClient::new(channel);
        for _ in 0..3 {
            client.check(ask("")).await.unwrap();
        }
        client.check(ask("nobody")).await.unwrap_err();
        let counted = now();
        assert_eq!(connections(&counted, transport), Some(1.0), "{transport}");
        assert_eq!(ended(&counted, "grpc.health.v1.Health", transport, "OK"), 3.0, "{transport}");
        assert_eq!(ended(&counted, "grpc.health.v1.Health", transport, "NOT_FOUND"), 1.0, "{transport}");
        let of_check = [("method", "Check"), ("transport", transport)];
        for (name, expected) in [("messages_sent", 4.0), ("messages_received", 3.0), ("bytes_received", 6.0)]
        {
            let counted = value(&counted, &format!("polywire_client_{name}_total"), &of_check);
            // How long an answer is depends on its codec.
            let is_it = if name == "bytes_received" { counted >= expected } else { counted == expected };
            assert!(is_it, "{transport}: {name} {counted}");
        }
        assert!(value(&counted, "polywire_client_bytes_sent_total", &of_check) >= 8.0, "{transport}");
        drop(client);
        eventually("the connection is gone", async || {
            (connections(&now(), transport) == Some(0.0)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_shows_the_calls_that_it_passes_on_and_the_connection_that_they_take() {
    let over_iroh = async {
        let node = Node::start(&["--transport.mode=iroh"]).await;
        let gateway = from_grpc(node.iroh()).await;
        let entrance = gateway.grpc().to_owned();
        (node, gateway, entrance, "iroh")
    };
    let over_grpc = async {
        let node = Node::start(&["--transport.mode=grpc"]).await;
        let gateway = from_iroh(node.grpc()).await;
        let entrance = gateway.iroh().to_owned();
        (node, gateway, entrance, "grpc")
    };
    let (over_iroh, over_grpc) = tokio::join!(over_iroh, over_grpc);
    for (node, gateway, entrance, transport) in [over_iroh, over_grpc] {
        let client = HealthClient::new(connect(&entrance).await);
        let check = async |service: &str| client.check(ask(service)).codec(polywire::Codec::Protobuf).await;
        for _ in 0..3 {
            check("").await.unwrap();
        }
        check("nobody").await.unwrap_err();
        let counted = page(&gateway).await;
        // Which method that was is the caller's word, which a gateway has no table to check by.
        assert_eq!(ended(&counted, "unknown", transport, "OK"), 3.0, "{counted:?}");
        assert_eq!(ended(&counted, "unknown", transport, "NOT_FOUND"), 1.0, "{counted:?}");
        assert!(
            ended(&counted, "grpc.health.v1.Health", transport, "OK") >= 1.0,
            "its own check of the target"
        );
        assert_eq!(connections(&counted, transport), Some(1.0));

        let mut watch = client.watch(ask("")).codec(polywire::Codec::Protobuf).await.unwrap();
        within(watch.message()).await.unwrap().unwrap();
        let of_passed_on = [("service", "unknown"), ("transport", transport)];
        let counted = page(&gateway).await;
        assert_eq!(value(&counted, "polywire_client_calls_in_flight", &of_passed_on), 1.0);
        assert_eq!(ended(&counted, "unknown", transport, "OK"), 3.0, "it has not ended");
        drop(watch);
        let counted = eventually("the stream has ended", async || {
            let counted = page(&gateway).await;
            (value(&counted, "polywire_client_calls_in_flight", &of_passed_on) == 0.0).then_some(counted)
        })
        .await;
        assert_eq!(ended(&counted, "unknown", transport, "CANCELLED"), 1.0);
        assert_eq!(value(&counted, "polywire_client_call_duration_seconds_count", &of_passed_on), 5.0);

        node.signal(Signal::TERM);
        node.ended().await;
        eventually("the connection is gone", async || {
            (connections(&page(&gateway).await, transport) == Some(0.0)).then_some(())
        })
        .await;
        assert!(check("").await.is_err());
        let counted = page(&gateway).await;
        assert_eq!(ended(&counted, "unknown", transport, "UNAVAILABLE"), 1.0);
        assert_eq!(connections(&counted, transport), Some(0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_passed_on_add_no_series() {
    let node = Node::start(&["--transport.mode=iroh"]).await;
    let gateway = from_grpc(node.iroh()).await;
    health(gateway.grpc(), "").await.unwrap();
    let client = polywire_tests::http2::Http2::connect(gateway.grpc_address()).await;
    let lie = async |number: usize| {
        let path = format!("/madeup.v1.S{number}/Method{number}");
        assert_eq!(client.call(&path, &[], &ask("")).await.grpc_status(), 12);
    };
    lie(0).await;
    let names = async || page(&gateway).await.into_keys().collect::<BTreeSet<_>>();
    let before = names().await;
    for number in 1..100 {
        lie(number).await;
    }
    let after = names().await;
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(!after.iter().any(|series| series.contains("madeup")));
    assert_eq!(ended(&page(&gateway).await, "unknown", "iroh", "UNIMPLEMENTED"), 100.0);
}
