//! Who may call which methods of the real node. `access.trust_local = false` makes strangers of this machine's callers.

use std::{fs, path::PathBuf};

use polywire::{Body, Call, Code, Method, Status};
use polywire_proto::{
    directory::v1::ListRequest,
    grpc::{health::v1::health_check_response::ServingStatus, reflection::v1::ServerReflectionRequest},
    kv::v1::PutRequest,
    raft::v1::VoteRequest,
    status::v1::GetClusterStatusRequest,
};
use polywire_services::{
    directory::DirectoryClient, raft::KvClient, raft::RaftClient, reflection::ServerReflectionClient,
    status::StatusClient,
};
use polywire_tests::{
    node::{Node, run},
    patience::eventually,
};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{connect, health};

const STRANGERS: &str = "--access.trust_local=false";

/// A node with every transport, and its targets.
async fn node(flags: &[&str]) -> (Node, Vec<String>) {
    let others = [
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        "--transport.unix.path=node.sock",
    ];
    let node = Node::start(&[&others, flags].concat()).await;
    let mut targets = vec![node.grpc().to_owned(), node.iroh().to_owned()];
    targets.extend(["quic", "websocket", "unix"].map(|transport| node.target(transport).to_owned()));
    (node, targets)
}

fn code<T>(outcome: Result<T, Status>) -> Code {
    outcome.map_or_else(|status| refused(&status), |_| Code::Ok)
}

/// The code of a status. A refusal of access was not processed.
fn refused(status: &Status) -> Code {
    let code = status.code();
    if matches!(code, Code::Unauthenticated | Code::PermissionDenied) {
        assert!(status.is_not_processed(), "{status}");
    }
    code
}

/// The codes of a call of an application method, of an operator's one, and of one for members.
async fn codes(target: &str) -> [Code; 3] {
    let channel = connect(target).await;
    let put = PutRequest { key: "a".to_owned(), value: b"1".to_vec().into(), ..PutRequest::default() };
    let put = KvClient::new(channel.clone()).put(put).await;
    let listed = DirectoryClient::new(channel.clone()).list(ListRequest { members: false }).await;
    let voted = RaftClient::new(channel).vote(VoteRequest::default()).await;
    [code(put), code(listed), code(voted)]
}

/// Whether a target's callers prove something without being asked to: a key, or a user id.
fn proves(target: &str) -> bool {
    ["iroh:", "unix:"].iter().any(|scheme| target.starts_with(scheme))
}

#[tokio::test]
async fn over_every_transport_a_stranger_may_call_public_methods_alone() {
    let (_node, targets) = node(&[STRANGERS]).await;
    for target in &targets {
        assert_eq!(health(target, "").await.unwrap(), ServingStatus::Serving, "{target}");
        let reflection = ServerReflectionClient::new(connect(target).await);
        let questions = polywire::Streaming::<ServerReflectionRequest>::empty();
        let answers = reflection.server_reflection_info(questions).await;
        assert!(answers.is_ok(), "{target}");
        let refusal = if proves(target) { Code::PermissionDenied } else { Code::Unauthenticated };
        assert_eq!(codes(target).await, [refusal; 3], "{target}");
    }
    // A stream is refused as well, before its messages.
    let watch = StatusClient::new(connect(&targets[0]).await);
    let status = watch.get_cluster_status(GetClusterStatusRequest {}).await.unwrap_err();
    assert_eq!(refused(&status), Code::Unauthenticated);
    assert!(
        status.message().starts_with(
            "access denied to operator method polywire.status.v1.Status/GetClusterStatus: the caller has proved no identity"
        ),
        "{status}"
    );
}

#[tokio::test]
async fn a_local_caller_and_with_insecure_every_caller_may_call_everything() {
    for flags in [&[] as &[&str], &[STRANGERS, "--insecure"]] {
        let (_node, targets) = node(flags).await;
        for target in &targets {
            let [put, listed, voted] = codes(target).await;
            assert_eq!([put, listed], [Code::Ok; 2], "{target} {flags:?}");
            // Raft takes no message without the proof of a member, whatever the rules are.
            let denied = [Code::Unauthenticated, Code::PermissionDenied];
            assert!(denied.contains(&voted), "{target} {flags:?}: {voted:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_method_and_service_are_refused_as_a_known_one() {
    static METHODS: [Method; 3] = [
        Method::unary("/polywire.kv.v1.Kv/Put"),
        Method::unary("/polywire.kv.v1.Kv/Nil"),
        Method::unary("/other.v1.Other/Put"),
    ];
    let (node, _) = node(&[STRANGERS]).await;
    let channel = connect(node.grpc()).await;
    let mut texts = Vec::new();
    for method in &METHODS {
        let call = Call::<PutRequest>::new(&channel, method, Body::one(PutRequest::default()));
        let status = call.await.unwrap_err();
        assert_eq!(refused(&status), Code::Unauthenticated);
        texts.push(status.message().replace(method.path().trim_start_matches('/'), "METHOD"));
    }
    assert!(texts.iter().all(|text| *text == texts[0] && text.contains("METHOD")), "{texts:#?}");
}

/// A node whose file has these rules, and strangers for callers.
async fn with_rules(rules: &str) -> (Node, PathBuf, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    write(&file, rules);
    let node = Node::start(&["--config", file.to_str().unwrap(), "--log.filter=info"]).await;
    (node, file, directory)
}

fn write(file: &PathBuf, rules: &str) {
    fs::write(file, format!("[access]\ntrust_local = false\n{rules}")).unwrap();
}

const APPLICATION: &str = "[[access.allow]]\nwho = ['anyone']\nwhat = ['application']\n";
const DIRECTORY: &str = "[[access.allow]]\nwho = ['anyone']\nwhat = ['polywire.directory.v1.Directory/List', 'polywire.kv.v1.Kv/Get']\n";

#[tokio::test]
async fn rules_are_read_again_and_a_bad_file_leaves_them_as_they_are() {
    use Code::{Ok, Unauthenticated as No};
    let (node, file, _directory) = with_rules(APPLICATION).await;
    let codes = async || {
        let [put, listed, _] = codes(node.grpc()).await;
        [put, listed]
    };
    assert_eq!(codes().await, [Ok, No]);
    // On change of the file, without a signal.
    write(&file, DIRECTORY);
    eventually("the rules are read again", async || (codes().await == [No, Ok]).then_some(())).await;
    for (bad, reason) in [
        (
            "[[access.allow]]\nwho = ['anyone']\nwhat = ['polywire.kv.v1.Kv/Putt']\n",
            "polywire.kv.v1.Kv/Put\\\"?",
        ),
        ("[[access.allow]]\nwho = ['key:0a']\nwhat = ['operator']\n", "invalid identity pattern"),
    ] {
        write(&file, bad);
        node.signal(Signal::HUP);
        let page = eventually("it is refused", async || {
            let page = node.get("/readyz?verbose").await;
            page.body.contains("note: configuration: the changed one is refused").then_some(page.body)
        })
        .await;
        let reason = reason.replace("\\\"", "\"");
        assert!(page.contains(&reason) && page.contains("access.allow[0]."), "{page}");
        assert_eq!(codes().await, [No, Ok]);
        write(&file, DIRECTORY);
        node.signal(Signal::HUP);
        eventually("it is read", async || {
            let page = node.get("/readyz?verbose").await;
            (!page.body.contains("note: configuration")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_log_says_at_the_start_that_access_is_open_or_how_to_open_it_and_what_is_plain() {
    const OPEN: &str = "access.insecure is true: every caller may call every method";
    const CLOSED: &str = "access is closed: other machines may call public methods alone";
    const PLAIN: &str = "Raft goes over plaintext gRPC: its members sign each message and answer";
    let beyond = "--transport.grpc.bind_address=0.0.0.0:0";
    let rule = "--access.allow=[{ who = ['uid:0'], what = ['operator'] }]";
    for (flags, says) in [
        (&[] as &[&str], [false, false, false]),
        (&["--insecure"], [true, false, false]),
        (&[beyond], [false, true, true]),
        (&[beyond, "--insecure"], [true, false, true]),
        (&[beyond, rule], [false, false, true]),
        (&[beyond, "--transport.grpc.tls_enabled=true"], [false, true, false]),
        (&[beyond, "--transport.strategy.raft_transport=always_iroh"], [false, true, false]),
    ] {
        let log = Node::start(flags).await.terminate().await.stderr;
        assert_eq!(
            [OPEN, CLOSED, PLAIN].map(|line| log.matches(line).count()),
            says.map(usize::from),
            "{flags:?}: {log}"
        );
        assert!(!says[1] || log.contains("grpc on 0.0.0.0:0"), "{log}");
    }
}

#[tokio::test]
async fn a_rule_that_names_nothing_is_refused_by_the_check_and_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "[[access.allow]]\nwho = ['anyone']\nwhat = ['operator',\n  'polywire.kv.v1.Kw/*']\n";
    fs::write(directory.path().join("node.toml"), rules).unwrap();
    for command in [["config", "check", "node.toml"], ["serve", "--config", "node.toml"]] {
        let refused = run(directory.path(), &command).await;
        let expected = "node.toml:4:3: access.allow[0].what[1]: no service of this node has the name \
                        \"polywire.kv.v1.Kw/*\"; did you mean \"polywire.kv.v1.Kv/*\"?";
        assert_eq!(refused.code, 1, "{command:?}");
        assert!(refused.stderr.contains(expected), "{command:?}: {}", refused.stderr);
    }
    fs::write(directory.path().join("node.toml"), rules.replace("Kw", "Kv")).unwrap();
    let checked = run(directory.path(), &["config", "check", "node.toml"]).await;
    assert_eq!((checked.code, checked.stdout.trim_end()), (0, "ok"), "{}", checked.stderr);
    let printed = run(directory.path(), &["config", "print", "node.toml"]).await;
    assert!(printed.stdout.contains("trust_local = true"), "{}", printed.stdout);
    let rule = "allow = [{ what = [\"operator\", \"polywire.kv.v1.Kv/*\"], who = [\"anyone\"] }]";
    assert!(printed.stdout.contains(rule), "{}", printed.stdout);
}

#[tokio::test]
async fn the_class_of_each_method_is_listed_and_a_stranger_is_told_why_it_is_not() {
    let (node, file, _directory) = with_rules(DIRECTORY).await;
    let classes = [
        ("grpc.health.v1.Health", "Check", "public"),
        ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", "public"),
        ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo", "public"),
        ("polywire.raft.v1.Raft", "Vote", "member"),
        ("polywire.cluster.v1.Cluster", "RemoveMember", "operator"),
        ("polywire.monitoring.v1.Monitoring", "GetMetrics", "operator"),
        ("polywire.health.v1.Health", "Detail", "operator"),
        ("polywire.status.v1.Status", "GetClusterStatus", "operator"),
        ("polywire.directory.v1.Directory", "List", "operator"),
        ("polywire.access.v1.Access", "Issue", "operator"),
        ("polywire.access.v1.TokenRecords", "Change", "member"),
        ("polywire.kv.v1.Kv", "Put", "application"),
    ];
    for arguments in [&["services", "-v"] as &[&str], &["services", "-v", node.grpc()]] {
        let listed = run(node.directory(), arguments).await;
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        for (service, method, class) in classes {
            let line = |line: &&str| {
                let words = Vec::from_iter(line.split_whitespace());
                words.starts_with(&[service, method]) && words.contains(&class)
            };
            assert!(listed.stdout.lines().any(|text| line(&text)), "{service}/{method}: {}", listed.stdout);
        }
    }
    write(&file, APPLICATION);
    let told = eventually("the directory is closed", async || {
        let told = run(node.directory(), &["services", node.grpc()]).await;
        told.stderr.contains("the directory is refused").then_some(told)
    })
    .await;
    assert!(told.stderr.contains("operator method polywire.directory.v1.Directory/List"), "{}", told.stderr);
    assert!(told.stdout.contains("polywire.kv.v1.Kv"), "{}", told.stdout);
    let members = run(node.directory(), &["services", "--members", node.grpc()]).await;
    assert_eq!((members.code, &*members.stdout), (64 + 16, ""), "{}", members.stderr);
}
