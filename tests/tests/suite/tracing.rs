//! Traces that real processes send to a collector, by OTLP.

mod chain;
mod collector;
mod context;
mod ends;
mod outage;

use polywire_tests::node::Node;

use collector::Collector;

/// A place in a trace that is recorded.
const FOREIGN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A node of this name that sends its traces there.
async fn node(name: &str, collector: &Collector, flags: &[&str]) -> Node {
    let [name, endpoint] = traced(name, collector);
    let mut all = vec![name.as_str(), endpoint.as_str()];
    all.extend(flags);
    Node::start(&all).await
}

/// A gateway of this name that sends its traces there.
async fn gateway(name: &str, collector: &Collector, arguments: &[&str]) -> Node {
    let [name, endpoint] = traced(name, collector);
    let mut all = vec![name.as_str(), endpoint.as_str()];
    all.extend(arguments);
    Node::gateway(all).await
}

fn traced(name: &str, collector: &Collector) -> [String; 2] {
    [format!("--node.name={name}"), format!("--telemetry.otlp_endpoint={}", collector.endpoint())]
}

/// Lets the nodes end well, which sends what they have recorded.
async fn end(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        let end = node.terminate().await;
        assert_eq!(end.code, Some(0), "{}", end.stderr);
    }
}
