use polywire::{Code, Codec, ConnectOptions, Streaming, Target};
use polywire_proto::grpc::{
    health::v1::health_check_response::ServingStatus,
    reflection::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest},
};
use polywire_services::{health::HealthClient, reflection::ServerReflectionClient};
use polywire_tests::{
    node::{Node, call},
    patience::within,
    shop::Shop,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use super::{echo, from_grpc, from_iroh};
use crate::{
    node::{ask, connect, status},
    python,
};

#[tokio::test(flavor = "multi_thread")]
async fn pythons_calls_to_a_peer_that_only_speaks_iroh_mean_what_they_say() {
    let shop = Shop::open(python::stock()).await;
    let gateway = from_grpc(&shop.iroh).await;
    python::run_against("calls.py", [("SHOP_ADDRESS", gateway.grpc())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_health_client_and_reflection_reach_a_node_that_only_speaks_iroh() {
    let node = Node::start(&["--transport.mode=iroh"]).await;
    assert_eq!(node.targets.grpc, None);
    let gateway = from_grpc(node.iroh()).await;
    for script in ["health.py", "reflection.py"] {
        python::run_against(script, [("NODE_ADDRESS", gateway.grpc()), ("SHOP_ADDRESS", gateway.grpc())])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_types_that_nobody_knows_arrive_byte_for_byte() {
    let (target, _held) = echo::over_iroh().await;
    let first = from_grpc(&target).await;
    python::run_against("echo.py", [("ECHO_ADDRESS", first.grpc())]).await;
    // And over three more hops.
    let second = from_iroh(first.grpc()).await;
    let third = from_grpc(second.iroh()).await;
    python::run_against("echo.py", [("ECHO_ADDRESS", third.grpc())]).await;
}

/// A plain tonic server of tonic's own health service: its target.
async fn tonics() -> String {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("old.v1.Old", tonic_health::ServingStatus::NotServing).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_tonic_server_is_reached_by_key() {
    let gateway = from_iroh(&tonics().await).await;
    let target: Target = gateway.iroh().parse().unwrap();
    let client =
        HealthClient::new(target.connect(&ConnectOptions::new().codec(Codec::Protobuf)).await.unwrap());
    assert_eq!(status(&client.check(ask("old.v1.Old")).await.unwrap()), ServingStatus::NotServing);
    let unknown = client.check(ask("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watch = client.watch(ask("old.v1.Old")).await.unwrap();
    assert_eq!(status(&within(watch.message()).await.unwrap().unwrap()), ServingStatus::NotServing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codec_that_a_grpc_server_may_not_know_is_refused_where_the_call_names_it() {
    let node = Node::start(&[]).await;
    let gateway = from_iroh(node.grpc()).await;
    let client = HealthClient::new(connect(gateway.iroh()).await);
    let refusal = client.check(ask("")).codec(Codec::MessagePack).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
    assert!(refusal.is_not_processed());
    assert!(refusal.message().contains("takes calls in protobuf and not in msgpack"), "{refusal}");
    assert_eq!(refusal.metadata().get("accept-codec"), Some("protobuf"));
    let gateway =
        Node::gateway(["--listen", "iroh", "--codec", "protobuf", "--codec", "msgpack", node.grpc()]).await;
    let client = HealthClient::new(connect(gateway.iroh()).await);
    let answer = client.check(ask("")).codec(Codec::MessagePack).await.unwrap();
    assert_eq!(status(&answer), ServingStatus::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_names_no_codec_travels_in_one_that_the_target_takes() {
    let node = Node::start(&["--transport.mode=grpc"]).await;
    let directory = tempfile::tempdir().unwrap();
    let unix = format!("unix://{}", directory.path().join("gateway").display());
    let listen = ["--listen", "iroh", "--listen", "ws://127.0.0.1:0", "--listen", &unix];
    let gateway = Node::gateway(listen.into_iter().chain([node.grpc()])).await;
    for target in [gateway.iroh(), gateway.target("websocket"), gateway.target("unix")] {
        // Each shape first on a connection of its own, and then as the second call of one.
        for again in [false, true] {
            let health = async || {
                let client = HealthClient::new(connect(target).await);
                if again {
                    client.check(ask("")).await.unwrap();
                }
                client
            };
            let unary = health().await.check(ask("")).await.unwrap();
            assert_eq!(status(&unary), ServingStatus::Serving, "{target}");
            let mut watch = health().await.watch(ask("")).await.unwrap();
            assert_eq!(status(&within(watch.message()).await.unwrap().unwrap()), ServingStatus::Serving);
            let client = ServerReflectionClient::new(connect(target).await);
            let (sender, questions) = Streaming::channel(4);
            let question = || ServerReflectionRequest {
                message_request: Some(MessageRequest::ListServices(String::new())),
                ..ServerReflectionRequest::default()
            };
            sender.send(Ok(question())).await.unwrap();
            let mut answers = client.server_reflection_info(questions).await.unwrap();
            assert!(within(answers.message()).await.unwrap().is_some(), "{target}");
            sender.send(Ok(question())).await.unwrap();
            assert!(within(answers.message()).await.unwrap().is_some(), "{target}");
        }
        let called = call(&[target, "grpc.health.v1.Health/Check", "{}"]).await;
        assert_eq!((called.code, called.stdout.trim()), (0, r#"{"status":"SERVING"}"#), "{}", called.stderr);
    }
}
