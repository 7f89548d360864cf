//! Identities as a node has them: its flags, its targets, its own calls.

use polywire::{Node as Library, Target, config::Config};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient},
    node::{FREE_PORTS, Node, call, run},
};

use super::{Files, Server};

const CHECK: &str = "grpc.health.v1.Health/Check";

#[tokio::test(flavor = "multi_thread")]
async fn under_tls_without_a_certificate_a_node_is_called_by_its_key() {
    let node = Node::start(&[
        "--transport.grpc.tls_enabled=true",
        "--transport.websocket.enabled=true",
        "--transport.websocket.tls_enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    let pin = format!("?key={}", node.targets.node_id);
    for (target, scheme) in [(node.grpc(), "grpcs"), (node.target("websocket"), "wss")] {
        assert!(target.starts_with(&format!("{scheme}://127.0.0.1:")) && target.ends_with(&pin), "{target}");
        let called = call(&[target, CHECK]).await;
        assert_eq!(
            (called.code, called.stdout.trim_end()),
            (0, r#"{"status":"SERVING"}"#),
            "{}",
            called.stderr
        );
        let other = target.replace(&pin, &format!("?key={}", "0a".repeat(32)));
        let refused = call(&[&other, CHECK]).await;
        assert_eq!(refused.code, 64 + 14, "{}", refused.stderr);
        assert!(refused.stderr.contains("another key than the one in the target"), "{}", refused.stderr);
    }
    assert_eq!(node.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_own_calls_prove_its_key_on_every_encrypted_transport() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.data_dir = directory.path().to_owned();
    config.transport.mode = polywire::config::Mode::Grpc;
    config.transport.grpc.bind_address = "127.0.0.1:0".parse().unwrap();
    config.http.enabled = false;
    let node = Library::builder().config(config).bind().await.unwrap();
    for transport in ["grpc", "quic", "websocket"] {
        let server = Server::start(transport, Files::default()).await;
        let target: Target = server.target.parse().unwrap();
        let client = InventoryClient::new(target.connect(node.connect_options()).await.unwrap());
        let known = client.get(GetRequest::default()).await.unwrap().name;
        assert_eq!(known, format!("key:{}", node.targets().node_id), "{transport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_of_clients_without_tls_are_refused_by_their_key() {
    let directory = tempfile::tempdir().unwrap();
    for (flags, key) in [
        (&["--transport.grpc.client_ca=ca.pem"][..], "transport.grpc.client_ca"),
        (
            &["--transport.websocket.enabled=true", "--transport.websocket.client_ca=ca.pem"],
            "transport.websocket.client_ca",
        ),
        (&["--transport.quic.enabled=true", "--transport.quic.client_ca=ca.pem"], "transport.quic.client_ca"),
        (
            &["--transport.grpc.tls_enabled=true", "--transport.grpc.client_ca=/nowhere/ca.pem"],
            "/nowhere/ca.pem",
        ),
        (&["--transport.grpc.tls_enabled=true", "--cluster.ca=/nowhere/ca.pem"], "cluster.ca"),
    ] {
        let refused = run(directory.path(), &[&["serve"], &FREE_PORTS[..], flags].concat()).await;
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains(key), "{key}: {}", refused.stderr);
    }
}
