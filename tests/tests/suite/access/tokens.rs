//! Tokens of a node alone that trusts no caller, as everyone beyond loopback meets it.

use std::{net::UdpSocket, path::Path};

use polywire_tests::{
    lab::Lab,
    node::{Node, binary, run, run_command},
    skip::skipped,
};

use super::{GET, KEY, NOT_FOUND, PERMISSION_DENIED, PUT, UNAUTHENTICATED, call_with, id, invite, line};

const CLOSED: &str = "--access.trust_local=false";

/// A node that is closed to its own machine too, and serves every transport that a command can call.
pub(super) async fn closed() -> (Node, Vec<String>) {
    let node = Node::start(&[
        CLOSED,
        "--transport.unix.enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    let mut targets = vec![node.grpc().to_owned(), node.iroh().to_owned()];
    targets.extend(["unix", "quic", "websocket"].map(|name| node.target(name).to_owned()));
    (node, targets)
}

#[tokio::test]
async fn a_token_allows_its_methods_and_no_others_over_every_transport() {
    let (node, targets) = closed().await;
    let token = invite(&node.data_dir(), &["--method", GET, "--for", "1h", "--name", "colleague"]).await;
    let forged =
        format!("{}{}", &token[..token.len() - 4], if token.ends_with("AAAA") { "BBBB" } else { "AAAA" });
    for target in &targets {
        let without = run(Path::new("/"), &["call", target, GET, KEY]).await;
        // A connection that proves a key or a uid proves something that no rule allows.
        let refused = [UNAUTHENTICATED, PERMISSION_DENIED];
        assert!(refused.contains(&without.code), "{target}: {}", without.stderr);
        let with = call_with(&token, target, GET).await;
        assert_eq!(with.code, NOT_FOUND, "{target}: {}", with.stderr);
        let other = call_with(&token, target, PUT).await;
        assert_eq!(other.code, PERMISSION_DENIED, "{target}: {}", other.stderr);
        let header = format!("authorization: Bearer {token}");
        let with = run(Path::new("/"), &["call", "-H", &header, target, GET, KEY]).await;
        assert_eq!(with.code, NOT_FOUND, "{target}: {}", with.stderr);
        // `--token` refuses to send it.
        let header = format!("authorization: Bearer {forged}");
        let refused = run(Path::new("/"), &["call", "-H", &header, target, GET, KEY]).await;
        assert_eq!(refused.code, UNAUTHENTICATED, "{target}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_token_carries_where_to_call_and_its_holder_narrows_it() {
    let (node, _) = closed().await;
    let token = invite(&node.data_dir(), &["--method", "polywire.kv.v1.Kv/*"]).await;
    let called = run(Path::new("/"), &["call", "--token", &token, GET, KEY]).await;
    assert_eq!(called.code, NOT_FOUND, "{}", called.stderr);
    let narrow = |arguments: &[&'static str]| [&["token", "narrow", &token], arguments].concat().join(" ");
    let narrowed = line(&narrow(&["--method", GET, "--for", "10m"]).split(' ').collect::<Vec<_>>()).await;
    assert_eq!(call_with(&narrowed, node.grpc(), GET).await.code, NOT_FOUND);
    assert_eq!(call_with(&narrowed, node.grpc(), PUT).await.code, PERMISSION_DENIED);
    let widen = ["token", "narrow", &narrowed, "--method", PUT];
    let refused = run(Path::new("/"), &widen).await;
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("cannot be widened"), "{}", refused.stderr);
    // The issued token's end is that of the narrowed one too.
    let data_dir = format!("--node.data_dir={}", node.data_dir().display());
    line(&["access", "revoke", &id(&token).await, &data_dir]).await;
    for token in [&token, &narrowed] {
        let refused = call_with(token, node.grpc(), GET).await;
        assert_eq!(refused.code, UNAUTHENTICATED, "{}", refused.stderr);
        assert!(refused.stderr.contains("revoked token"), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn a_token_for_a_key_is_of_no_use_to_another_caller() {
    let (node, targets) = closed().await;
    let other = Node::start(&[]).await;
    let token = invite(&node.data_dir(), &["--method", GET, "--to", &other.targets.node_id]).await;
    for target in &targets {
        let refused = call_with(&token, target, GET).await;
        assert_eq!(refused.code, UNAUTHENTICATED, "{target}: {}", refused.stderr);
        assert!(refused.stderr.contains("another caller"), "{target}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn uses_run_out_and_stay_so_after_a_restart() {
    let (node, _) = closed().await;
    let token = invite(&node.data_dir(), &["--method", GET, "--uses", "3", "--name", "thrice"]).await;
    assert_eq!(call_with(&token, node.grpc(), PUT).await.code, PERMISSION_DENIED, "this is no use");
    assert_eq!(call_with(&token, node.grpc(), GET).await.code, NOT_FOUND);
    assert_eq!(call_with(&token, node.iroh(), GET).await.code, NOT_FOUND);
    // As after a crash, right behind the answer to the second use: one is left, and no more.
    let node = node.kill().await.start().await;
    assert_eq!(call_with(&token, node.grpc(), GET).await.code, NOT_FOUND);
    let data_dir = format!("--node.data_dir={}", node.data_dir().display());
    let listed = run(Path::new("/"), &["access", "list", &data_dir]).await;
    let row = listed.stdout.lines().find(|line| line.contains("thrice")).unwrap_or_default();
    assert!(row.contains("used up") && row.contains(GET), "{}", listed.stdout);
    let refused = call_with(&token, node.grpc(), GET).await;
    assert_eq!(refused.code, UNAUTHENTICATED, "{}", refused.stderr);
    let node = node.kill().await.start().await;
    for target in [node.grpc(), node.iroh()] {
        let refused = call_with(&token, target, GET).await;
        assert_eq!(refused.code, UNAUTHENTICATED, "{target}: {}", refused.stderr);
        assert!(refused.stderr.contains("good for 3 calls"), "{target}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_token_that_is_signed_and_revoked_without_a_node_is_so_for_the_node_that_starts_then() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (good, bad) = (invite(&data, &["--method", GET]).await, invite(&data, &["--method", GET]).await);
    let data_dir = format!("--node.data_dir={}", data.display());
    line(&["access", "revoke", &id(&bad).await, &data_dir]).await;
    let node = Node::start(&[CLOSED, &data_dir]).await;
    assert_eq!(call_with(&good, node.grpc(), GET).await.code, NOT_FOUND);
    assert_eq!(call_with(&bad, node.grpc(), GET).await.code, UNAUTHENTICATED);
    // Of another node.
    let other = Node::start(&[CLOSED]).await;
    let refused = call_with(&good, other.grpc(), GET).await;
    assert_eq!(refused.code, UNAUTHENTICATED, "{}", refused.stderr);
    assert!(refused.stderr.contains("unknown issuer"), "{}", refused.stderr);
}

/// The address that this machine calls others from.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // No packet is sent; the address is one for documentation (RFC 5737).
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

#[tokio::test]
async fn a_token_of_a_node_that_listens_everywhere_leads_other_machines_to_it() {
    let Some(own) = own_address() else { return skipped("this machine has no route to others") };
    let node = Node::start(&[
        "--transport.grpc.bind_address=0.0.0.0:0",
        "--transport.grpc.tls_enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=0.0.0.0:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=0.0.0.0:0",
    ])
    .await;
    let token = invite(&node.data_dir(), &["--method", GET]).await;
    let shown = run(Path::new("/"), &["token", "show", &token]).await.stdout;
    for scheme in ["grpcs", "quic", "ws"] {
        assert!(shown.contains(&format!("{scheme}://{own}:")), "{scheme}: {shown}");
    }
    let target =
        shown.lines().find(|line| line.contains("grpcs://")).unwrap().split_whitespace().last().unwrap();
    let called = call_with(&token, target, GET).await;
    assert_eq!(called.code, NOT_FOUND, "{}", called.stderr);
}

#[tokio::test]
async fn a_token_that_leads_to_the_nodes_machine_alone_is_said_to_do_so() {
    let Some(lab) = Lab::or_skip().await else { return };
    // A lab has no route to other networks.
    let node =
        Node::start_in(lab.far(), &["--transport.grpc.bind_address=0.0.0.0:0", "--transport.mode=grpc"])
            .await;
    let invite = async |arguments: &[&str]| {
        let mut command = lab.far().command(binary());
        command.args(["invite", "--method", GET, "--node.data_dir", node.data_dir().to_str().unwrap()]);
        command.args(arguments);
        run_command(command, "").await
    };
    let invited = invite(&[]).await;
    assert_eq!(invited.code, 0, "{}", invited.stderr);
    let warning = "warning: the token leads to the node from its own machine alone, by grpc://127.0.0.1:";
    assert!(
        invited.stderr.contains(warning) && invited.stderr.contains("cluster.advertise"),
        "{}",
        invited.stderr
    );
    let named = invite(&["--target", "grpc://10.77.1.2:1"]).await;
    assert_eq!((named.code, &*named.stderr), (0, ""));
    let log = node.terminate().await.stderr;
    assert!(log.contains("the machine has no route to others") && log.contains("cluster.advertise"), "{log}");
    let flags = [
        "--transport.grpc.bind_address=0.0.0.0:0",
        "--transport.mode=grpc",
        "--cluster.advertise=grpc://10.77.1.2:1",
    ];
    let advertised = Node::start_in(lab.far(), &flags).await;
    let log = advertised.terminate().await.stderr;
    assert!(!log.contains("the machine has no route to others"), "{log}");
}

#[tokio::test]
async fn a_token_for_a_method_that_a_service_of_the_node_lacks_is_refused_and_one_for_an_unknown_service_is_warned_of()
 {
    let (node, _) = closed().await;
    let data_dir = format!("--node.data_dir={}", node.data_dir().display());
    let invite = async |method: &str| run(Path::new("/"), &["invite", &data_dir, "--method", method]).await;
    let refused = invite("polywire.kv.v1.Kv/Gte").await;
    assert_eq!((refused.code, &*refused.stdout), (2, ""), "{}", refused.stderr);
    let expected = "error: no method of the node has the name \"polywire.kv.v1.Kv/Gte\"; did you mean \"polywire.kv.v1.Kv/Get\"?\n";
    assert_eq!(refused.stderr, expected);
    let warned = invite("polywire.kv.v1.Kvv/Get").await;
    assert_eq!(warned.code, 0, "{}", warned.stderr);
    assert!(warned.stdout.starts_with("pwt_"), "{}", warned.stdout);
    let expected = "warning: no service of the node has the name \"polywire.kv.v1.Kvv\"";
    assert!(warned.stderr.contains(expected) && warned.stderr.contains("Kv/Get\"?"), "{}", warned.stderr);
    for method in ["polywire.kv.v1.Kv/*", "operator", GET] {
        let invited = invite(method).await;
        assert!(invited.code == 0 && !invited.stderr.contains("no service"), "{method}: {}", invited.stderr);
    }
    // Without the node there is nothing to compare with.
    let node = node.kill().await;
    let offline = invite("polywire.kv.v1.Kv/Gte").await;
    assert_eq!(offline.code, 0, "{}", offline.stderr);
    assert_eq!(offline.stderr.matches("is used without its node").count(), 1, "{}", offline.stderr);
    drop(node);
}
