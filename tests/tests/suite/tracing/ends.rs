use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use polywire::Code;
use polywire_tests::node::{call, run_with_stdin};

use super::{FOREIGN, collector::Collector, end, gateway, node};

/// The spans' sides, codes and failures, those of the callers first.
fn outcomes(collector: &Collector) -> Vec<(SpanKind, Option<i64>, bool)> {
    let spans = collector.trace(&FOREIGN[3..35]);
    spans.iter().map(|span| (span.inner.kind(), span.code(), span.failure().is_some())).collect()
}

fn header() -> String {
    format!("traceparent: {FOREIGN}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_of_the_callers_is_a_failure_of_the_clients_and_none_of_the_servers() {
    let collector = Collector::start().await;
    let node = node("behind", &collector, &[]).await;
    let gateway = gateway("before", &collector, &["--listen", "grpc://127.0.0.1:0", node.iroh()]).await;
    let arguments =
        [gateway.grpc(), "grpc.health.v1.Health/Check", r#"{"service":"nobody"}"#, "-H", &header()];
    assert_eq!(call(&arguments).await.code, 64 + i32::from(Code::NotFound.number()));
    end([gateway, node]).await;
    let code = Some(i64::from(Code::NotFound.number()));
    assert_eq!(
        outcomes(&collector),
        [(SpanKind::Server, code, false), (SpanKind::Client, code, true), (SpanKind::Server, code, false)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_by_its_deadline_has_lasted_until_then() {
    let collector = Collector::start().await;
    let node = node("behind", &collector, &[]).await;
    let gateway = gateway("before", &collector, &["--listen", "grpc://127.0.0.1:0", node.iroh()]).await;
    let arguments = [gateway.grpc(), "grpc.health.v1.Health/Watch", "--timeout", "2s", "-H", &header()];
    let called = call(&arguments).await;
    assert_eq!(called.code, 64 + i32::from(Code::DeadlineExceeded.number()), "{}", called.stderr);
    assert!(called.stdout.contains("SERVING"), "{}", called.stdout);
    end([gateway, node]).await;
    let code = Some(i64::from(Code::DeadlineExceeded.number()));
    assert_eq!(
        outcomes(&collector),
        [(SpanKind::Server, code, true), (SpanKind::Client, code, true), (SpanKind::Server, code, true)]
    );
    let spans = collector.trace(&FOREIGN[3..35]);
    let took = Vec::from_iter(spans.iter().map(|span| (&span.by, span.took())));
    assert!(took.iter().all(|(_, took)| *took > Duration::from_millis(300)), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_well_says_so_at_every_hop() {
    let collector = Collector::start().await;
    let node = node("behind", &collector, &[]).await;
    let gateway = gateway("before", &collector, &["--listen", "iroh", node.grpc()]).await;
    let method = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let arguments = ["call", gateway.iroh(), method, "-", "--codec", "protobuf", "-H", &header()];
    let questions = "{\"listServices\": \"\"}\n{\"listServices\": \"\"}\n";
    let called = run_with_stdin(std::path::Path::new("/"), &arguments, questions).await;
    assert_eq!(called.code, 0, "{}", called.stderr);
    end([gateway, node]).await;
    assert_eq!(
        outcomes(&collector),
        [
            (SpanKind::Server, Some(0), false),
            (SpanKind::Client, Some(0), false),
            (SpanKind::Server, Some(0), false)
        ]
    );
}
