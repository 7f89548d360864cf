use polywire_tests::node::{Node, call};

#[tokio::test]
async fn one_node_serves_every_transport_at_once_and_each_is_called_by_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("--transport.unix.path={}", directory.path().join("node.sock").display());
    let node = Node::start(&[
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        &socket,
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
        "--transport.memory.enabled=true",
        "--transport.memory.name=all-at-once",
    ])
    .await;
    let targets = [
        ("grpc://", node.grpc()),
        ("iroh://", node.iroh()),
        ("quic://", node.target("quic")),
        ("unix://", node.target("unix")),
        ("ws://", node.target("websocket")),
    ];
    for (scheme, target) in targets {
        assert!(target.starts_with(scheme), "{target}");
        let finished = call(&[target, "grpc.health.v1.Health/Check"]).await;
        assert_eq!(finished.code, 0, "{target}: {}", finished.stderr);
        assert!(finished.stdout.contains("\"SERVING\""), "{target}: {}", finished.stdout);
    }
    let metrics = node.get("/metrics").await.body;
    for transport in ["grpc", "iroh", "quic", "unix", "websocket"] {
        let transport = format!("transport=\"{transport}\"");
        let counted =
            |line: &str| line.starts_with("polywire_server_calls_total") && line.contains(&transport);
        assert!(metrics.lines().any(counted), "{transport}: {metrics}");
    }
    // Memory is within the node's own process, and no other process is told that the name is there.
    assert_eq!(node.target("memory"), "memory://all-at-once");
    let finished = call(&[node.target("memory"), "grpc.health.v1.Health/Check"]).await;
    assert_eq!(finished.code, 64 + 14, "{}", finished.stderr);
}
