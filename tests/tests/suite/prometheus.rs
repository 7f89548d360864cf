//! A real Prometheus.

use std::{fs, net::TcpListener, process::Stdio};

use polywire_tests::{
    foreign::prometheus,
    node::{Node, get},
    patience::{eventually, within},
};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::node::health;

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_against_the_metrics() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        health(target, "").await.unwrap();
        health(target, "nobody").await.unwrap_err();
    }
    // What channels count that choose among transports is a gateway's.
    let gateway = Node::gateway(["--listen", "grpc://127.0.0.1:0", node.iroh(), node.grpc()]).await;
    health(gateway.grpc(), "").await.unwrap();
    check(node.get("/metrics").await.body).await;
    let page = gateway.get("/metrics").await.body;
    for family in ["attempts_total", "chosen_total", "circuits"] {
        assert!(page.contains(&format!("\npolywire_client_{family}{{")), "{family} is not in {page}");
    }
    check(page).await;
}

/// Has promtool look at a page.
async fn check(page: String) {
    let tools = tokio::task::spawn_blocking(prometheus).await.unwrap();
    let mut check = Command::new(tools.join("promtool"));
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.kill_on_drop(true).spawn().unwrap();
    let mut input = check.stdin.take().unwrap();
    input.write_all(page.as_bytes()).await.unwrap();
    drop(input);
    let output = within(check.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_two_nodes() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    health(one.grpc(), "").await.unwrap();
    health(two.iroh(), "").await.unwrap();
    let http = |node: &Node| node.targets.http.clone().unwrap().trim_start_matches("http://").to_owned();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prometheus.yml");
    let targets = [http(&one), http(&two)];
    let config = format!(
        "global: {{scrape_interval: 500ms}}\nscrape_configs: [{{job_name: polywire, static_configs: [{{targets: {targets:?}}}]}}]\n"
    );
    fs::write(&file, config).unwrap();
    // It says nowhere which port it took, so it is told one that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let tools = tokio::task::spawn_blocking(prometheus).await.unwrap();
    let mut server = Command::new(tools.join("prometheus"))
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for (query, expected) in [
        ("up==1", 2),
        ("polywire_build_info", 2),
        ("polywire_server_calls_total{service=\"grpc.health.v1.Health\",code=\"OK\"}==1", 2),
    ] {
        let path = format!("/api/v1/query?query={}", encoded(query));
        eventually(query, async || {
            let page = get(&address, &path, "*/*").await?;
            let answer: Value = serde_json::from_str(&page.body).ok()?;
            let found = answer["data"]["result"].as_array()?.len();
            (found == expected).then_some(())
        })
        .await;
    }
    server.kill().await.unwrap();
}

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
