//! What an operator at another machine proves by the commands.

use std::{fs, path::Path};

use polywire_tests::node::{Node, run};

use super::{GET, KEY, NOT_FOUND, PERMISSION_DENIED, call_with, invite, line};

/// A node that trusts no connection, and a key that may operate it: its file.
async fn operated(directory: &Path) -> (Node, String) {
    let data = directory.join("operator");
    let id = line(&["id", &format!("--node.data_dir={}", data.display())]).await;
    let file = directory.join("node.toml");
    let rules = format!(
        "[access]\ntrust_local = false\n[[access.allow]]\nwho = [\"key:{id}\"]\nwhat = [\"operator\", \"{GET}\"]\n"
    );
    fs::write(&file, rules).unwrap();
    let node = Node::start(&[
        "--config",
        &file.display().to_string(),
        "--transport.grpc.tls_enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.tls_enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    (node, data.join("identity.key").display().to_string())
}

fn targets(node: &Node) -> [&str; 4] {
    [node.grpc(), node.iroh(), node.target("quic"), node.target("websocket")]
}

#[tokio::test]
async fn every_command_proves_the_key_of_a_file_over_every_transport_that_proves_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (node, key) = operated(directory.path()).await;
    for target in targets(&node) {
        let asked: [&[&str]; 4] = [
            &["call", target, GET, KEY],
            &["services", target, "--members"],
            &["cluster", "status", target],
            &["migration", "status", target],
        ];
        // 3: no call was made over the new transport yet.
        for (arguments, expected) in asked.into_iter().zip([NOT_FOUND, 0, 0, 3]) {
            let proved = run(Path::new("/"), &[arguments, &["--identity", &key]].concat()).await;
            assert_eq!(proved.code, expected, "{arguments:?}: {}", proved.stderr);
            let unproved = run(Path::new("/"), arguments).await;
            assert!(unproved.stderr.contains("access denied"), "{arguments:?}: {}", unproved.stderr);
        }
    }
}

#[tokio::test]
async fn the_commands_of_the_cluster_present_a_token_and_a_token_for_a_key_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (node, key) = operated(directory.path()).await;
    let methods = ["--method", "polywire.cluster.v1.Cluster/Status"];
    let token = invite(&node.data_dir(), &methods).await;
    for target in targets(&node) {
        let told = run(Path::new("/"), &["cluster", "--token", &token, "status", target]).await;
        assert_eq!(told.code, 0, "{target}: {}", told.stderr);
        let refused = run(Path::new("/"), &["cluster", "invite", "--token", &token, target]).await;
        assert_eq!(refused.code, PERMISSION_DENIED, "{target}: {}", refused.stderr);
    }
    let other = directory.path().join("other");
    let id = line(&["id", &format!("--node.data_dir={}", other.display())]).await;
    let bound = invite(&node.data_dir(), &["--method", GET, "--to", &id]).await;
    let other = other.join("identity.key").display().to_string();
    for target in targets(&node) {
        let call = ["call", "--identity", &other, "--token", &bound, target, GET, KEY];
        let admitted = run(Path::new("/"), &call).await;
        assert_eq!(admitted.code, NOT_FOUND, "{target}: {}", admitted.stderr);
        let another = ["call", "--identity", &key, "--token", &bound, target, GET, KEY];
        let another = run(Path::new("/"), &another).await;
        assert!(another.stderr.contains("another caller"), "{target}: {}", another.stderr);
    }
    assert!(call_with(&bound, node.iroh(), GET).await.stderr.contains("another caller"));
}

#[tokio::test]
async fn a_file_that_is_no_identity_is_refused_before_anything_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("none").display().to_string();
    let target = "grpc://127.0.0.1:1";
    for arguments in [&["call", target, GET, KEY][..], &["cluster", "status", target]] {
        let refused = run(Path::new("/"), &[arguments, &["--identity", &absent]].concat()).await;
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("expected an identity.key"), "{}", refused.stderr);
    }
}
