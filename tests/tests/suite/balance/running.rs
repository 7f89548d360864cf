//! What a running node chooses, and how that is changed.

use std::{fs, path::Path};

use polywire_tests::{
    node::{Node, call},
    patience::eventually,
};
use rustix::process::Signal;

use crate::{
    metrics::samples,
    node::{connect, health},
};

/// How many health checks the node has answered over this transport.
async fn answered(node: &Node, transport: &str) -> f64 {
    let samples = samples(&node.get("/metrics").await.body);
    let labels =
        ["service=\"grpc.health.v1.Health\"", "method=\"Check\"", &format!("transport=\"{transport}\"")];
    let is_one = |series: &str| {
        series.starts_with("polywire_server_calls_total{")
            && labels.iter().all(|label| series.contains(label))
    };
    samples.iter().filter(|(series, _)| is_one(series)).map(|(_, calls)| calls).sum()
}

/// Makes calls through the gateway until one of them came to the node over this transport.
async fn goes_over(gateway: &Node, node: &Node, transport: &str) {
    eventually(transport, async || {
        let before = answered(node, transport).await;
        for _ in 0..5 {
            health(gateway.grpc(), "").await.unwrap();
        }
        // Probes and the gateway's own checks are less.
        (answered(node, transport).await - before >= 5.0).then_some(())
    })
    .await;
}

fn write(file: &Path, strategy: &str) {
    // As an editor does: the file is there with either text at any time.
    let new = file.with_extension("new");
    fs::write(&new, format!("[transport.strategy]\n{strategy}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

#[tokio::test]
async fn a_policy_that_is_changed_in_the_file_holds_without_a_restart_and_a_bad_one_is_refused() {
    let node = Node::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    write(&file, "prefer_iroh_for = ['health']");
    let config = file.display().to_string();
    let arguments = ["--listen", "grpc://127.0.0.1:0", node.iroh(), node.grpc(), "--config", &config];
    let gateway = Node::gateway(arguments).await;
    goes_over(&gateway, &node, "iroh").await;

    write(&file, "prefer_iroh_for = []");
    goes_over(&gateway, &node, "grpc").await;

    write(&file, "shift = { health = 2.0 }");
    let page = eventually("it is refused", async || {
        let page = gateway.get("/readyz?verbose").await;
        page.body.contains("note: configuration: the changed one is refused").then_some(page)
    })
    .await;
    assert_eq!(page.status, 200, "it goes on: {}", page.body);
    assert!(page.body.contains("expected a share from 0 to 1"), "{}", page.body);
    goes_over(&gateway, &node, "grpc").await;

    write(&file, "shift = { health = 1.0 }");
    gateway.signal(Signal::HUP);
    goes_over(&gateway, &node, "iroh").await;
    let page = gateway.get("/readyz?verbose").await;
    assert!(!page.body.contains("note: configuration"), "{}", page.body);
}

#[tokio::test]
async fn a_stream_goes_on_while_the_policy_is_changed() {
    let node = Node::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    write(&file, "prefer_iroh_for = ['health']");
    let config = file.display().to_string();
    let arguments = ["--listen", "grpc://127.0.0.1:0", node.iroh(), node.grpc(), "--config", &config];
    let gateway = Node::gateway(arguments).await;
    let client = polywire_services::health::HealthClient::new(connect(gateway.grpc()).await);
    let mut watch = client.watch(crate::node::ask("")).await.unwrap();
    watch.message().await.unwrap().unwrap();
    write(&file, "");
    goes_over(&gateway, &node, "grpc").await;
    node.signal(Signal::TERM);
    // The stream is still there to be told.
    let last = polywire_tests::patience::within(watch.message()).await.unwrap().unwrap();
    assert_ne!(last.status, 1, "it does not serve any more");
}

#[tokio::test]
async fn a_call_can_be_explained() {
    let node = Node::start(&[]).await;
    let arguments = ["--explain", "--fallback", node.grpc(), node.iroh(), "grpc.health.v1.Health/Check"];
    let told = call(&arguments).await;
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert_eq!(told.stdout, "{\"status\":\"SERVING\"}\n");
    for expected in
        ["iroh       closed", "grpc       untried", "grpc.health.v1.Health takes iroh: it comes first"]
    {
        assert!(told.stderr.contains(expected), "{expected} is not in {}", told.stderr);
    }
}
