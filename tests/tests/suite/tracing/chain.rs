use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use polywire_tests::node::{Node, call};

use super::{
    FOREIGN,
    collector::{Collector, Span},
    end, gateway, node,
};

const CHECK: &str = "grpc.health.v1.Health/Check";

/// A call of a caller that traces, over the one transport to a gateway and over the other to a node: the spans.
async fn through(listen: &str, target: impl Fn(&Node) -> &str, entry: impl Fn(&Node) -> &str) -> Vec<Span> {
    let collector = Collector::start().await;
    let node = node("behind", &collector, &[]).await;
    let gateway = gateway("before", &collector, &["--listen", listen, target(&node)]).await;
    let header = format!("traceparent: {FOREIGN}");
    let called = call(&[entry(&gateway), CHECK, "--codec", "protobuf", "-H", &header]).await;
    assert_eq!(called.code, 0, "{}", called.stderr);
    let id = node.targets.node_id.clone();
    end([gateway, node]).await;
    let spans = collector.trace(&FOREIGN[3..35]);
    assert_eq!(spans.last().map(|span| span.instance.as_str()), Some(id.as_str()));
    spans
}

/// That each span is the child of the one before it, the first that of the stranger's.
#[track_caller]
fn assert_chain(spans: &[Span], expected: [(&str, SpanKind, &str, &str); 3]) {
    let found: Vec<_> = spans
        .iter()
        .map(|span| {
            let [system, transport] = ["rpc.system", "polywire.transport"].map(|key| span.text(key).unwrap());
            (span.by.as_str(), span.inner.kind(), system, transport)
        })
        .collect();
    assert_eq!(found, expected);
    let mut parent = FOREIGN[36..52].to_owned();
    for span in spans {
        assert_eq!(span.parent(), parent);
        assert_eq!(span.inner.name, CHECK);
        assert_eq!(span.text("rpc.service"), Some("grpc.health.v1.Health"));
        assert_eq!(span.text("rpc.method"), Some("Check"));
        assert_eq!(span.code(), Some(0));
        assert_eq!(span.failure(), None);
        assert_eq!(span.text("trace_id"), None, "it is what the span belongs to, and no attribute");
        parent = span.id();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_trace_goes_on_over_grpc_and_then_over_iroh() {
    let spans = through("grpc://127.0.0.1:0", Node::iroh, Node::grpc).await;
    assert_chain(
        &spans,
        [
            ("before", SpanKind::Server, "grpc", "grpc"),
            ("before", SpanKind::Client, "polywire", "iroh"),
            ("behind", SpanKind::Server, "polywire", "iroh"),
        ],
    );
    assert!(spans[0].text("network.peer.address").is_some_and(|peer| peer.starts_with("127.0.0.1:")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_trace_goes_on_over_iroh_and_then_over_grpc() {
    let spans = through("iroh", Node::grpc, Node::iroh).await;
    assert_chain(
        &spans,
        [
            ("before", SpanKind::Server, "polywire", "iroh"),
            ("before", SpanKind::Client, "grpc", "grpc"),
            ("behind", SpanKind::Server, "grpc", "grpc"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_begins_where_none_came_with_the_call_or_a_malformed_one() {
    let collector = Collector::start().await;
    let node = node("alone", &collector, &[]).await;
    for header in ["tenant: blue", "traceparent: 00-nonsense-01", "traceparent: 00-0-0-01"] {
        assert_eq!(call(&[node.grpc(), CHECK, "-H", header]).await.code, 0);
    }
    end([node]).await;
    let mut spans = collector.spans();
    spans.retain(|span| span.inner.name == CHECK);
    let mut traces: Vec<_> = spans.iter().map(Span::trace_id).collect();
    traces.sort();
    traces.dedup();
    assert_eq!((spans.len(), traces.len()), (3, 3));
    assert!(spans.iter().all(|span| span.parent().is_empty() && span.by == "alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_records_is_not_recorded_here_and_the_next_is_told_so() {
    let collector = Collector::start().await;
    let node = node("behind", &collector, &[]).await;
    let gateway = gateway("before", &collector, &["--listen", "grpc://127.0.0.1:0", node.iroh()]).await;
    let unsampled = FOREIGN.replace("-01", "-00");
    let called = call(&[gateway.grpc(), CHECK, "-H", &format!("traceparent: {unsampled}")]).await;
    assert_eq!(called.code, 0, "{}", called.stderr);
    end([gateway, node]).await;
    assert!(collector.trace(&FOREIGN[3..35]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_traces_that_begin_here_is_recorded_and_all_that_others_record() {
    let collector = Collector::start().await;
    let node = node("sparing", &collector, &["--telemetry.sample_ratio=0"]).await;
    assert_eq!(call(&[node.grpc(), CHECK]).await.code, 0);
    let header = format!("traceparent: {FOREIGN}");
    assert_eq!(call(&[node.grpc(), CHECK, "-H", &header]).await.code, 0);
    end([node]).await;
    let spans = collector.spans();
    assert_eq!(spans.iter().map(Span::trace_id).collect::<Vec<_>>(), [&FOREIGN[3..35]]);
}
