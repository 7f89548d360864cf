use std::process::Stdio;

use polywire_tests::{
    node::{Finished, Node, binary, run},
    patience::within,
    pki::Pki,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

const CHECK: &str = "grpc.health.v1.Health/Check";
const UNAVAILABLE: i32 = 64 + 14;
const LATE: i32 = 64 + 4;

/// Every command that calls, told to call this target so.
async fn each_that_calls(target: &str, options: &[&str]) -> Vec<Finished> {
    let directory = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 4] = [
        &["call", target, CHECK],
        &["services", target],
        &["cluster", "status", "--node", target],
        &["migration", "status", target],
    ];
    let mut finished = Vec::new();
    for command in commands {
        finished.push(run(directory.path(), &[command, options].concat()).await);
    }
    finished
}

/// A node that serves gRPC and QUIC under a certificate, and what it is trusted by.
async fn tls_node(directory: &std::path::Path) -> (Node, Pki) {
    let pki = Pki::new(directory);
    let [certificate, key] = [&pki.certificate, &pki.key].map(|path| path.display().to_string());
    let of = |transport: &str| {
        [
            format!("--transport.{transport}.tls_cert={certificate}"),
            format!("--transport.{transport}.tls_key={key}"),
        ]
    };
    let [grpc, quic] = ["grpc", "quic"].map(of);
    let mut flags = vec![
        "--transport.grpc.tls_enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
    ];
    flags.extend(grpc.iter().chain(&quic).map(String::as_str));
    (Node::start(&flags).await, pki)
}

async fn plain_node() -> Node {
    Node::start(&["--transport.websocket.enabled=true", "--transport.websocket.bind_address=127.0.0.1:0"])
        .await
}

#[tokio::test]
async fn an_authority_that_did_not_sign_is_the_calls_status_and_the_message_says_what_to_do() {
    let [right, wrong] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (node, _) = tls_node(right.path()).await;
    let other = Pki::new(wrong.path());
    let ca = other.authority.to_str().unwrap();
    for target in [node.grpc(), node.target("quic")] {
        // The other authority has the same name.
        for (options, reason) in [(&["--ca", ca][..], "BadSignature"), (&[], "UnknownIssuer")] {
            for finished in each_that_calls(target, options).await {
                assert_eq!(finished.code, UNAVAILABLE, "{}", finished.stderr);
                for words in [target, reason, "`--ca`"] {
                    assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
                }
            }
        }
    }
}

#[tokio::test]
async fn another_key_than_the_one_in_the_target_is_told_so_on_every_transport() {
    let node = Node::start(&[
        "--transport.grpc.tls_enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.tls_enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    let other = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh(), node.target("quic"), node.target("websocket")] {
        let mistaken = target.replace(&node.targets.node_id, &other.targets.node_id);
        assert_ne!(mistaken, target);
        for finished in each_that_calls(&mistaken, &[]).await {
            assert_eq!(finished.code, UNAVAILABLE, "{mistaken}: {}", finished.stderr);
            let told = finished.stderr.contains("the peer has another key than the one in the target");
            assert!(told, "{mistaken}: {}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn a_host_name_that_the_certificate_lacks_or_that_leads_nowhere_is_the_calls_status() {
    let directory = tempfile::tempdir().unwrap();
    let (node, pki) = tls_node(directory.path()).await;
    let ca = pki.authority.to_str().unwrap();
    for target in
        [node.grpc(), node.target("quic"), "wss://127.0.0.1:1", "grpc://127.0.0.1:1", "ws://127.0.0.1:1"]
    {
        let named = target.replace("127.0.0.1", "nowhere.invalid");
        for finished in each_that_calls(&named, &["--ca", ca]).await {
            assert_eq!(finished.code, UNAVAILABLE, "{named}: {}", finished.stderr);
            assert!(finished.stderr.contains(&named), "{named}: {}", finished.stderr);
        }
    }
    // The certificate is for localhost and 127.0.0.1, and 127.0.0.2 leads to a listener on all addresses.
    let [certificate, key] = [&pki.certificate, &pki.key].map(|path| path.display().to_string());
    let everywhere = Node::start(&[
        "--transport.grpc.tls_enabled=true",
        &format!("--transport.grpc.tls_cert={certificate}"),
        &format!("--transport.grpc.tls_key={key}"),
        "--transport.grpc.bind_address=0.0.0.0:0",
    ])
    .await;
    let port = everywhere.grpc().rsplit(':').next().unwrap();
    let target = format!("grpcs://127.0.0.2:{port}");
    for finished in each_that_calls(&target, &["--ca", ca]).await {
        assert_eq!(finished.code, UNAVAILABLE, "{target}: {}", finished.stderr);
        assert!(finished.stderr.contains("not valid for name"), "{target}: {}", finished.stderr);
    }
    // What TLS takes for no name at all.
    for scheme in ["grpcs", "wss"] {
        let target = format!("{scheme}://-_-:1");
        for finished in each_that_calls(&target, &["--ca", ca]).await {
            assert!((64..80).contains(&finished.code), "{target}: {} {}", finished.code, finished.stderr);
        }
    }
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_is_no_call() {
    for target in ["grpcs://127.0.0.1:1", "grpc://127.0.0.1:1", "wss://127.0.0.1:1"] {
        for finished in each_that_calls(target, &["--ca", "/nowhere/ca.pem"]).await {
            assert_eq!(finished.code, 1, "{target}: {}", finished.stderr);
            assert!(finished.stderr.starts_with("error: CA file /nowhere/ca.pem: "), "{}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn a_refused_connection_names_its_target_on_every_transport() {
    let node = Node::start(&[
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    let mut targets = vec![node.grpc().to_owned()];
    targets.extend(node.targets.others.values().cloned());
    assert_eq!(targets.len(), 4, "{targets:?}");
    let _killed = node.kill().await;
    for target in &targets {
        for finished in each_that_calls(target, &[]).await {
            // QUIC learns of nothing but silence, and a survey waits for as long as its dial.
            assert!(matches!(finished.code, UNAVAILABLE | LATE), "{target}: {}", finished.stderr);
            let host = target.split('?').next().unwrap();
            assert!(finished.stderr.contains(host), "{target}: {}", finished.stderr);
        }
    }
    let id = iroh::SecretKey::generate().public();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("iroh://{id}?addr={}", silent.local_addr().unwrap());
    let finished = run(std::path::Path::new("/"), &["call", &target, CHECK]).await;
    assert!(finished.stderr.contains(&id.fmt_short().to_string()), "{}", finished.stderr);
}

#[tokio::test]
async fn a_connection_that_is_lost_amid_a_call_names_its_target_on_every_transport() {
    let node = Node::start(&[
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ])
    .await;
    let mut targets = vec![node.grpc().to_owned(), node.iroh().to_owned()];
    targets.extend(node.targets.others.values().cloned());
    assert_eq!(targets.len(), 5, "{targets:?}");
    let mut calls = Vec::new();
    for target in targets {
        let mut command = Command::new(binary());
        command.args(["call", &target, "grpc.health.v1.Health/Watch"]).kill_on_drop(true);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(within(lines.next_line()).await.unwrap().is_some());
        calls.push((target, child, lines));
    }
    let _killed = node.kill().await;
    for (target, child, _lines) in calls {
        let output = within(child.wait_with_output()).await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(UNAVAILABLE), "{target}: {stderr}");
        // Iroh's targets are named by the beginning of the key.
        let name = target.split('?').next().unwrap();
        let name = name.strip_prefix("iroh://").map_or(name, |id| &id[..10]);
        assert!(stderr.contains(name), "{target}: {stderr}");
    }
}

#[tokio::test]
async fn with_two_fallbacks_each_failure_says_which_target() {
    let sockets = [(); 3].map(|()| {
        let bound = tokio::net::TcpSocket::new_v4().unwrap();
        bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        bound
    });
    let [first, second, third] =
        sockets.each_ref().map(|bound| format!("grpc://{}", bound.local_addr().unwrap()));
    let arguments = ["call", "--timeout", "4s", "--fallback", &second, "--fallback", &third, &first, CHECK];
    let finished = run(std::path::Path::new("/"), &arguments).await;
    assert_eq!(finished.code, UNAVAILABLE, "{}", finished.stderr);
    for target in [&first, &second, &third] {
        assert!(finished.stderr.contains(target.as_str()), "{target}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn tls_to_plaintext_and_plaintext_to_tls_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let (secured, pki) = tls_node(directory.path()).await;
    let plain = plain_node().await;
    let ca = pki.authority.to_str().unwrap();
    let secured = secured.grpc();
    let cases = [
        (plain.grpc().replace("grpc://", "grpcs://"), plain.grpc().to_owned()),
        (plain.target("websocket").replace("ws://", "wss://"), plain.target("websocket").to_owned()),
        (secured.replace("grpcs://", "grpc://"), secured.to_owned()),
        (secured.replace("grpcs://", "ws://"), secured.replace("grpcs://", "wss://")),
    ];
    for (target, meant) in cases {
        for finished in each_that_calls(&target, &["--ca", ca]).await {
            assert_eq!(finished.code, UNAVAILABLE, "{target}: {}", finished.stderr);
            for words in [&*target, "TLS", &*format!("expected {meant}")] {
                assert!(finished.stderr.contains(words), "{target}: {words}: {}", finished.stderr);
            }
        }
    }
}
