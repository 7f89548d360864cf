use polywire::{Code, Streaming};
use polywire_proto::grpc::{
    health::v1::{HealthCheckResponse, health_check_response::ServingStatus},
    reflection::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest},
};
use polywire_services::{health::HealthClient, reflection::ServerReflectionClient};
use polywire_tests::{
    node::Node,
    patience::{eventually, within},
};
use rustix::process::Signal;

use super::{from_grpc, from_iroh};
use crate::node::{ask, connect, health};

/// A client that makes protobuf of its calls, whatever it calls over.
async fn watch(target: &str) -> Streaming<HealthCheckResponse> {
    let client = HealthClient::new(connect(target).await);
    let mut watch = client.watch(ask("")).codec(polywire::Codec::Protobuf).await.unwrap();
    within(watch.message()).await.unwrap().unwrap();
    watch
}

/// What `/readyz?verbose` says of the target, once it begins so.
async fn target_is(gateway: &Node, expected: &str) -> u16 {
    eventually(expected, async || {
        let page = gateway.get("/readyz?verbose").await;
        page.body.lines().any(|line| line.starts_with(expected)).then_some(page.status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_killed_amid_a_call_is_unavailable() {
    let over_grpc = async {
        let node = Node::start(&[]).await;
        let gateway = from_iroh(node.grpc()).await;
        (watch(gateway.iroh()).await, node, gateway)
    };
    let over_iroh = async {
        let node = Node::start(&["--transport.mode=iroh"]).await;
        let gateway = from_grpc(node.iroh()).await;
        (watch(gateway.grpc()).await, node, gateway)
    };
    let (over_grpc, over_iroh) = tokio::join!(over_grpc, over_iroh);
    let lost = |(mut watch, node, _gateway): (Streaming<HealthCheckResponse>, Node, Node)| async move {
        node.signal(Signal::KILL);
        let status = within(watch.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    };
    tokio::join!(lost(over_grpc), lost(over_iroh));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_ready_while_its_target_answers() {
    let data = tempfile::tempdir().unwrap();
    let data_dir = format!("--node.data_dir={}", data.path().join("data").display());
    // A place that is the same for one node after another, and is no other's.
    let path = data.path().join("node.sock");
    let bind = format!("--transport.unix.path={}", path.display());
    let target = format!("unix://{}", path.display());
    let gateway = Node::gateway(["--listen", "iroh", &target, "--health.check_interval=100ms"]).await;
    // Nothing listens there yet.
    let unreachable = "target: the gateway's target cannot be reached over unix: ";
    assert_eq!(target_is(&gateway, unreachable).await, 503);
    let status = HealthClient::new(connect(gateway.iroh()).await)
        .check(ask(""))
        .codec(polywire::Codec::Protobuf)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.is_not_processed());
    assert!(status.message().starts_with("the gateway's target cannot be reached over unix: "), "{status}");

    for _ in 0..2 {
        let node = Node::start(&["--transport.unix.enabled=true", &bind, &data_dir]).await;
        assert_eq!(target_is(&gateway, "target: ok").await, 200);
        drop(watch(gateway.iroh()).await);
        node.terminate().await;
        assert_eq!(target_is(&gateway, unreachable).await, 503);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_called_the_metrics_stay_small() {
    let node = Node::start(&["--transport.mode=iroh"]).await;
    let gateway = from_grpc(node.iroh()).await;
    assert_eq!(health(gateway.grpc(), "").await.unwrap(), ServingStatus::Serving);
    for number in 0..20 {
        let method = format!("nobody.v1.N{number}/Method");
        let call = polywire_tests::node::call(&[gateway.grpc(), &method, "{}"]).await;
        assert_eq!(call.code, 64 + 12, "{}", call.stderr);
    }
    let metrics = gateway.get("/metrics").await.body;
    let counted =
        |name: &str| Vec::from_iter(metrics.lines().filter(|line| line.starts_with(name)).map(str::to_owned));
    assert!(!metrics.contains("nobody"), "{metrics}");
    let services = counted("polywire_server_calls_total{");
    assert!(!services.is_empty(), "{metrics}");
    assert!(services.iter().all(|line| line.contains(r#"service="unknown""#)), "{services:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_told_to_stop_lets_calls_finish() {
    let node = Node::start(&["--transport.mode=iroh"]).await;
    let gateway = from_grpc(node.iroh()).await;
    let question = || ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let (questions, stream) = Streaming::channel(1);
    questions.send(Ok(question())).await.unwrap();
    let client = ServerReflectionClient::new(connect(gateway.grpc()).await);
    let mut answers = client.server_reflection_info(stream).await.unwrap();
    within(answers.message()).await.unwrap().unwrap();
    gateway.signal(Signal::TERM);
    eventually("no new connections", async || {
        tokio::net::TcpStream::connect(gateway.grpc_address()).await.err().map(|_| ())
    })
    .await;
    questions.send(Ok(question())).await.unwrap();
    within(answers.message()).await.unwrap().unwrap();
    drop(questions);
    assert!(within(answers.message()).await.unwrap().is_none());
    let end = gateway.ended().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_keeps_its_key() {
    let node = Node::start(&["--transport.mode=grpc"]).await;
    let data = tempfile::tempdir().unwrap();
    let data_dir = format!("--node.data_dir={}", data.path().join("data").display());
    let arguments = || ["--listen", "iroh", node.grpc(), data_dir.as_str()];
    let first = Node::gateway(arguments()).await;
    let id = first.targets.node_id.clone();
    assert!(first.iroh().starts_with(&format!("iroh://{id}?")));
    first.terminate().await;
    assert_eq!(Node::gateway(arguments()).await.targets.node_id, id);
}
