//! For which callers a gateway calls.

use polywire_tests::node::{Node, call, run};

/// A gateway to this target that listens to other machines.
fn open<'a>(target: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["--listen", "grpc://0.0.0.0:0", "--http.bind_address=127.0.0.1:0", target];
    [&own[..], more].concat()
}

#[tokio::test]
async fn a_gateway_that_opens_what_is_local_says_to_which_callers() {
    let directory = tempfile::tempdir().unwrap();
    for target in ["grpc://127.0.0.1:1", "unix:///run/x.sock"] {
        let refused = run(directory.path(), &[&["gateway"], &*open(target, &[])].concat()).await;
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("--allow IDENTITY"), "{}", refused.stderr);
    }
    for more in ["--allow=uid:0", "--insecure"] {
        Node::gateway(open("grpc://127.0.0.1:1", &[more])).await;
    }
    // What is not local, or is not opened.
    Node::gateway(open("grpc://192.0.2.1:1", &[])).await;
    Node::gateway([
        "--listen",
        "grpc://127.0.0.1:0",
        "--http.bind_address=127.0.0.1:0",
        "grpc://127.0.0.1:1",
    ])
    .await;
}

#[tokio::test]
async fn a_target_decides_by_the_gateways_caller() {
    let node = Node::start(&[]).await;
    let gateway = Node::gateway(open(node.grpc(), &["--insecure"])).await;
    let status = "polywire.cluster.v1.Cluster/Status";
    let local = call(&[gateway.grpc(), status]).await;
    assert_eq!(local.code, 0, "{}", local.stderr);
    // As a gateway before this one says of a caller on another machine.
    let remote = ["-H", "polywire-caller: remote", gateway.grpc()];
    let refused = call(&[&remote[..], &[status]].concat()).await;
    assert_eq!(refused.code, 64 + 16, "{}", refused.stderr);
    let public = call(&[&remote[..], &["grpc.health.v1.Health/Check"]].concat()).await;
    assert_eq!(public.code, 0, "{}", public.stderr);
}
