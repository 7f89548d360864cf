use std::{fs, path::Path};

use polywire_tests::node::{Finished, Node, run};

async fn ended(arguments: &[&str], code: i32) -> Finished {
    let finished = run(Path::new("/"), arguments).await;
    assert_eq!(finished.code, code, "{arguments:?}: {}", finished.stderr);
    finished
}

#[tokio::test]
async fn every_command_explains_itself_in_the_same_way() {
    for command in ["serve", "gateway", "call", "services", "config", "id", "cluster", "migration"] {
        let usage = format!("Usage: polywire-node {command}");
        for arguments in [&[command, "--help"][..], &[command, "-h"], &["help", command]] {
            let help = ended(arguments, 0).await;
            assert!(help.stdout.contains(&usage), "{arguments:?}: {}", help.stdout);
            assert_eq!(help.stderr, "", "{arguments:?}");
        }
        for arguments in [[command, "-V"], [command, "--version"]] {
            let version = ended(&arguments, 0).await;
            let expected = format!("polywire-node-{command} {}", env!("CARGO_PKG_VERSION"));
            assert!(version.stdout.starts_with(&expected), "{arguments:?}: {}", version.stdout);
        }
        let refused = ended(&[command, "--no-such-flag"], 2).await;
        assert!(
            refused.stderr.starts_with("error: ") && refused.stderr.contains(&usage),
            "{}",
            refused.stderr
        );
    }
}

#[tokio::test]
async fn a_command_of_commands_without_one_shows_its_help_as_bad_usage() {
    let mut beginnings = Vec::new();
    for command in ["config", "cluster", "migration"] {
        let help = ended(&[command], 2).await;
        assert_eq!(help.stdout, "");
        assert!(help.stderr.contains(&format!("Usage: polywire-node {command}")), "{}", help.stderr);
        beginnings.push(help.stderr.starts_with("error"));
        let below = ended(&["help", command, "help"], 0).await;
        assert!(!below.stdout.is_empty());
    }
    assert_eq!(beginnings, [false; 3]);
}

#[tokio::test]
async fn help_reaches_the_commands_of_a_command() {
    for (arguments, usage) in [
        (&["help", "cluster", "status"][..], "Usage: polywire-node cluster status"),
        (&["cluster", "help", "status"], "Usage: polywire-node cluster status"),
        (&["help", "migration", "status"], "Usage: polywire-node migration status"),
        (&["help", "config", "print"], "Usage: polywire-node config print"),
    ] {
        let help = ended(arguments, 0).await;
        assert!(help.stdout.contains(usage), "{arguments:?}: {}", help.stdout);
    }
}

#[tokio::test]
async fn the_version_says_what_was_built() {
    let version = ended(&["--version"], 0).await;
    let first = version.stdout.lines().next().unwrap();
    assert!(first.starts_with(&format!("polywire-node {}", env!("CARGO_PKG_VERSION"))), "{first}");
    // Which commit it is depends on when the binary was built; that it is one, on whether there is a repository.
    let mut git = std::process::Command::new("git");
    git.args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let commit = first.split_once(" (").and_then(|(_, commit)| commit.strip_suffix(')'));
    let is_commit = |commit: &str| commit.len() >= 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    match git.output().is_ok_and(|output| output.status.success()) {
        true => assert!(commit.is_some_and(is_commit), "{first}"),
        false => assert_eq!(commit, None, "{first}"),
    }
    let features = version.stdout.lines().find_map(|line| line.strip_prefix("features: ")).unwrap();
    let mut names = features.split(' ');
    for feature in ["grpc", "iroh", "websocket"] {
        assert!(names.clone().any(|name| name == feature), "{features}");
    }
    assert!(names.clone().is_sorted() && names.all(|name| !name.is_empty()), "{features}");
}

#[tokio::test]
async fn a_configuration_file_is_given_in_the_same_way_to_every_command() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("node.toml"), "[node]\nname = \"a\"\ndata_dir = \"data\"\n").unwrap();
    for arguments in [
        &["config", "check", "node.toml"][..],
        &["config", "check", "--config", "node.toml"],
        &["config", "print", "node.toml"],
        &["config", "print", "--config", "node.toml"],
        &["id", "--config", "node.toml"],
        &["services", "--config", "node.toml"],
    ] {
        let finished = run(directory.path(), arguments).await;
        assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
        if arguments[1] == "print" {
            assert!(finished.stdout.contains("name = \"a\""), "{arguments:?}");
        }
    }
    for arguments in [&["config", "check"][..], &["config", "check", "node.toml", "--config", "node.toml"]] {
        let refused = run(directory.path(), arguments).await;
        assert_eq!(refused.code, 2, "{arguments:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_gateway_warns_only_of_what_has_no_effect() {
    let node = Node::start(&[]).await;
    let listen = ["--listen", "grpc://127.0.0.1:0"];
    let prefer = "--transport.strategy.prefer_iroh_for=health";
    for (targets, warned) in
        [(vec![node.iroh(), node.grpc()], false), (vec![node.iroh()], true), (vec![node.grpc()], true)]
    {
        let arguments = listen.into_iter().chain([prefer, "--transport.strategy.raft_transport=always_iroh"]);
        let gateway = Node::gateway(arguments.chain(targets.iter().copied())).await;
        let end = gateway.terminate().await;
        let lines = |key: &str| end.stderr.lines().filter(|line| line.contains(key)).count();
        assert_eq!(lines("prefer_iroh_for") > 0, warned, "{targets:?}: {}", end.stderr);
        assert!(!end.stderr.contains("Raft uses"), "a gateway has no Raft: {}", end.stderr);
        assert_eq!(lines("raft_transport"), 1, "{}", end.stderr);
    }
}
