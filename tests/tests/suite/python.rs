//! Python's own clients against a node: grpcio, its health checking and reflection, Prometheus's parsers, and one
//! over WebSockets that was written from the specifications.

use std::time::Duration;

use polywire::{Code, Compression, Metadata, Response, Status};
use polywire_tests::{
    foreign::python,
    inventory::{GetRequest, Item, Stock},
    node::Node,
    patience::within,
    shop::Shop,
};
use tokio::process::Command;

use crate::node::health;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python");

/// How long a script may take, which makes many calls and starts many processes.
const SCRIPT: Duration = Duration::from_secs(120);

/// Whose pages may open WebSockets to the node.
const ORIGIN: &str = "https://shop.example";

/// What the scripts expect of `get`, beside an echo.
pub(crate) fn stock() -> Stock {
    let cost = || {
        let mut cost = Metadata::new();
        cost.insert("cost", "3").unwrap();
        cost.insert_bin("cost-bin", vec![3, 0xfe]).unwrap();
        cost
    };
    Stock::new().on_get(move |arrival, request: GetRequest| async move {
        if let Some(number) = request.name.strip_prefix("fail ") {
            let code = Code::from_number(number.parse().unwrap());
            return Err(Status::new(code, "größer % ∞\n").with_details(vec![0, 0xff]).with_metadata(cost()));
        }
        if let Some(message) = request.name.strip_prefix("say ") {
            return Err(Status::aborted(message.to_owned()));
        }
        let numbers = request.name.split(' ').skip(1).map_while(|number| number.parse::<usize>().ok());
        let numbers = Vec::from_iter(numbers);
        match request.name.as_str() {
            name if name.starts_with("long ") => {
                Err(Status::aborted("m".repeat(numbers[0])).with_details(vec![7; numbers[1]]))
            }
            name if name.starts_with("heavy ") => {
                let mut heavy = Metadata::new();
                heavy.insert("heavy", "m".repeat(numbers[0])).unwrap();
                let item = Response::new(Item::default());
                Ok(item.with_metadata(heavy.clone()).with_trailers(heavy))
            }
            "panic" => panic!("as asked"),
            "wait" => std::future::pending().await,
            "time left" => {
                let seconds = arrival.time_left.map_or(0, |left| left.as_secs());
                Ok(Item::named(seconds.to_string()).into())
            }
            name if name.starts_with("compression ") => {
                let compression = arrival.compression.map_or("none", Compression::name);
                let item = Item::named(name.replacen("compression", compression, 1));
                Ok(Response::new(item).with_compression(Compression::Gzip))
            }
            "echo metadata" => {
                let item = Response::new(Item::default());
                Ok(item.with_metadata(arrival.metadata).with_trailers(cost()))
            }
            _ => Ok(Item::named(request.name).into()),
        }
    })
}

/// Runs one file of tests against a node and a shop, each of which must pass.
async fn run(script: &str) {
    let origins = format!("--transport.websocket.allowed_origins={ORIGIN}");
    let websocket = ["--transport.websocket.enabled=true", "--transport.websocket.bind_address=127.0.0.1:0"];
    let node = Node::start(&[websocket[0], websocket[1], &origins]).await;
    let shop = Shop::open(stock()).await;
    // Something to count, over each transport.
    for target in [node.grpc(), node.iroh()] {
        health(target, "").await.unwrap();
    }
    let metrics = format!("{}/metrics", node.targets.http.as_deref().unwrap());
    let servers = [
        ("NODE_ADDRESS", node.grpc()),
        ("SHOP_ADDRESS", &shop.grpc),
        ("METRICS_URL", &metrics),
        ("WEBSOCKET_TARGET", node.target("websocket")),
        ("WEBSOCKET_ORIGIN", ORIGIN),
    ];
    run_against(script, servers).await;
}

/// Runs one file of tests against servers at these addresses, by the names that the file has for them. Each must
/// pass.
pub(crate) async fn run_against<const N: usize>(script: &str, servers: [(&str, &str); N]) {
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let mut command = Command::new(python);
    command.current_dir(SCRIPTS).arg(script).kill_on_drop(true);
    for (name, address) in servers {
        command.env(format!("POLYWIRE_{name}"), address.trim_start_matches("grpc://"));
    }
    let output = tokio::time::timeout(SCRIPT, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{script} has not ended within {SCRIPT:?}")).unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("\nOK"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_health_client_is_answered() {
    run("health.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_grpc_calls_mean_what_they_say() {
    run("calls.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_reflection_learns_what_is_served() {
    run("reflection.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_parses_the_metrics() {
    run("metrics.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_written_from_the_specifications_calls_over_a_websocket() {
    run("websocket.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_client_of_the_specification_calls_over_iroh() {
    let page = include_str!("../../../proto/WIRE.md");
    let (_, behind) = page.split_once("```python smallest-client\n").unwrap();
    let (client, _) = behind.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("smallest_client.py");
    std::fs::write(&script, client).unwrap();
    let node = Node::start(&[]).await;
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let call = async |path: &str, message: &str| {
        let mut command = Command::new(&python);
        let command = command.arg(&script).args([node.iroh(), path, message]).kill_on_drop(true);
        within(command.output()).await.unwrap()
    };
    let answered = call("/grpc.health.v1.Health/Check", "").await;
    assert!(answered.status.success(), "{answered:?}");
    assert_eq!(String::from_utf8(answered.stdout).unwrap(), "0801\n");
    let unknown = call("/shop.v1.Shop/Check", "").await;
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert!(text.contains("code 12: ") && text.contains("not processed"), "{text}");
}
