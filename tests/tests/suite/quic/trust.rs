use polywire::{
    Code, ConnectOptions, Status,
    quic::{Identity, PublicKey},
};
use polywire_tests::{
    inventory::{GetRequest, Item, Stock},
    node::{Node, call},
    pki::Pki,
};

use super::{Server, client};

const CHECK: &str = "grpc.health.v1.Health/Check";

async fn get(target: &str, options: &ConnectOptions) -> Result<Item, Status> {
    client(target, options).await.get(GetRequest::named("nut")).await
}

#[tokio::test]
async fn a_node_prints_a_target_with_its_id_as_the_key_and_is_called_there() {
    let node =
        Node::start(&["--transport.quic.enabled=true", "--transport.quic.bind_address=127.0.0.1:0"]).await;
    assert!(node.target("quic").starts_with("quic://127.0.0.1:"), "{}", node.target("quic"));
    assert!(
        node.target("quic").ends_with(&format!("?key={}", node.targets.node_id)),
        "{}",
        node.target("quic")
    );
    let called = call(&[node.target("quic"), CHECK]).await;
    assert_eq!((called.code, called.stdout.trim_end()), (0, r#"{"status":"SERVING"}"#), "{}", called.stderr);
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

#[tokio::test]
async fn under_a_certificate_a_client_must_trust_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let certificate = format!("--transport.quic.tls_cert={}", pki.certificate.display());
    let key = format!("--transport.quic.tls_key={}", pki.key.display());
    let flags = ["--transport.quic.enabled=true", "--transport.quic.bind_address=127.0.0.1:0"];
    let node = Node::start(&[&flags[..], &[&certificate, &key]].concat()).await;
    assert!(!node.target("quic").contains('?'), "{}", node.target("quic"));
    let authority = pki.authority.to_str().unwrap();

    let trusting = call(&["--ca", authority, node.target("quic"), CHECK]).await;
    assert_eq!(trusting.code, 0, "{}", trusting.stderr);
    let by_name = node.target("quic").replace("127.0.0.1", "localhost");
    let by_name = call(&["--ca", authority, &by_name, CHECK]).await;
    assert_eq!(by_name.code, 0, "{}", by_name.stderr);
    let distrusting = call(&[node.target("quic"), CHECK]).await;
    assert_eq!((distrusting.code, distrusting.stdout.as_str()), (64 + 14, ""), "{}", distrusting.stderr);
    assert!(distrusting.stderr.contains("certificate"), "{}", distrusting.stderr);
    let pinning = call(&[&format!("{}?key={}", node.target("quic"), node.targets.node_id), CHECK]).await;
    assert_eq!(pinning.code, 64 + 14, "{}", pinning.stderr);
    assert!(pinning.stderr.contains("expected a target without a key"), "{}", pinning.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_than_the_pinned_one_is_not_spoken_to() {
    let server = Server::start(Stock::new()).await;
    let (address, _) = server.target.split_once('?').unwrap();
    let wrong = format!("{address}?key={}", PublicKey::from_bytes([9; 32]));
    let status = get(&wrong, &ConnectOptions::new()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.is_not_processed());
    assert!(status.message().contains("another key than the one in the target"), "{status}");

    let unpinned = get(address, &ConnectOptions::new()).await.unwrap_err();
    assert!(unpinned.is_not_processed());
    assert!(unpinned.message().contains("`?key=` and its key"), "{unpinned}");
    assert_eq!(get(&server.target, &ConnectOptions::new()).await.unwrap().name, "nut");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_an_identity_is_known_by_its_key_and_one_without_by_none() {
    let stock = Stock::new().on_get(async |arrival, _| {
        let caller = arrival.caller.unwrap();
        assert_eq!(caller.transport, "quic");
        assert!(caller.address.unwrap().starts_with("127.0.0.1:"));
        Ok(Item::named(caller.identity.map(|identity| identity.to_string()).unwrap_or_default()))
    });
    let server = Server::start(stock).await;
    let identity = Identity::new([5; 32]);
    let key = format!("key:{}", identity.public_key());
    let known = get(&server.target, &ConnectOptions::new().with(identity)).await.unwrap();
    assert_eq!(known.name, key);
    assert_eq!(get(&server.target, &ConnectOptions::new()).await.unwrap().name, "");
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_at_the_start() {
    let flags = [
        "serve",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.grpc.bind_address=127.0.0.1:0",
        "--http.bind_address=127.0.0.1:0",
        "--transport.quic.tls_cert=cert.pem",
    ];
    let directory = tempfile::tempdir().unwrap();
    let refused = polywire_tests::node::run(directory.path(), &flags).await;
    assert_ne!(refused.code, 0);
    let expected =
        "transport.quic.tls_cert cannot be used: is set; expected transport.quic.tls_key beside it";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
}
