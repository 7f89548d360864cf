use polywire_tests::node::{Node, call, run};
use tokio::net::TcpListener;

use super::{FOREIGN, collector::Collector, end, gateway, node};

const CHECK: &str = "grpc.health.v1.Health/Check";

async fn calls(node: &Node) {
    for _ in 0..20 {
        assert_eq!(call(&[node.grpc(), CHECK]).await.code, 0);
    }
}

/// A node whose collector is there; it has batches of one span, so that each is tried by itself.
async fn impatient(endpoint: &str) -> Node {
    let mut command = tokio::process::Command::new(polywire_tests::node::binary());
    command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1").env("OTEL_BSP_SCHEDULE_DELAY", "10");
    let endpoint = format!("--telemetry.otlp_endpoint={endpoint}");
    let flags = [polywire_tests::node::FREE_PORTS[0], polywire_tests::node::FREE_PORTS[1], &endpoint];
    Node::start_with(command, flags).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_told_of_once_and_fails_no_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let node = impatient(&endpoint).await;
    calls(&node).await;
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let told = end.stderr.lines().filter(|line| line.contains(&endpoint)).count();
    assert_eq!(told, 1, "{}", end.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_up_no_call_and_not_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = impatient(&format!("http://{}", listener.local_addr().unwrap())).await;
    calls(&node).await;
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert!(end.stderr.contains("the last traces are lost"), "{}", end.stderr);
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_json_line_by_line_and_say_which_trace_they_belong_to() {
    let collector = Collector::start().await;
    let behind = node("behind", &collector, &[]).await;
    // What the gateway's connection to the node says of itself, it says amid a call.
    let arguments =
        ["--listen", "grpc://127.0.0.1:0", "--log-format", "json", "--log.filter=trace", behind.grpc()];
    let gateway = gateway("before", &collector, &arguments).await;
    let header = format!("traceparent: {FOREIGN}");
    assert_eq!(call(&[gateway.grpc(), CHECK, "-H", &header]).await.code, 0);
    let log = gateway.terminate().await.stderr;
    end([behind]).await;
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let amid_the_call = lines.iter().filter(|line| line["span"]["trace_id"] == FOREIGN[3..35]).count();
    assert!(amid_the_call > 0, "{log}");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_is_refused_with_its_key_and_value() {
    let directory = tempfile::tempdir().unwrap();
    for (endpoint, expected) in [
        ("collector", "an http or https URL"),
        ("ftp://127.0.0.1:4317", "an http or https URL"),
        ("http://127.0.0.1:4318/v1/traces", "a URL without a path"),
    ] {
        let flag = format!("--telemetry.otlp_endpoint={endpoint}");
        let refused = run(directory.path(), &["serve", &flag]).await;
        assert_eq!(refused.code, 1);
        for part in ["telemetry.otlp_endpoint", expected, endpoint] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
}
