use std::process::Stdio;

use polywire_tests::{
    node::{Node, binary},
    patience::within,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// The exit status of a command that SIGPIPE (13) ends, as a shell has it.
const GONE: i32 = 128 + 13;

/// The end of a pipe that is written to, whose reader has gone.
fn without_reader() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_every_command_quietly() {
    let node = Node::start(&[]).await;
    let target = node.grpc();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("node.toml"), "").unwrap();
    let commands: [&[&str]; 12] = [
        &["call", target, "grpc.health.v1.Health/Check"],
        &["call", target, "grpc.health.v1.Health/Watch"],
        &["services", target],
        &["services", "--json", target],
        &["services"],
        &["config", "print"],
        &["config", "check", "node.toml"],
        &["id"],
        &["cluster", "status", "--node", target],
        &["--help"],
        &["call", "--help"],
        &["cluster", "--help"],
    ];
    for arguments in commands {
        let mut command = command(arguments);
        command.current_dir(directory.path()).stdout(without_reader()).stderr(Stdio::piped());
        let output = within(command.spawn().unwrap().wait_with_output()).await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*stderr), (Some(GONE), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_when_its_reader_goes() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        let mut child = command(&["call", target, "grpc.health.v1.Health/Watch"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(within(lines.next_line()).await.unwrap().unwrap(), "{\"status\":\"SERVING\"}");
        drop(lines);
        let output = within(child.wait_with_output()).await.unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(GONE), &[][..]), "{target}");
    }
}

#[tokio::test]
async fn a_reader_of_stderr_that_has_gone_changes_nothing() {
    let node = Node::start(&[]).await;
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = format!("grpc://{}", bound.local_addr().unwrap());
    let check = "grpc.health.v1.Health/Check";
    let cases: [(&[&str], i32); 3] = [
        (&["call", node.grpc(), "grpc.health.v1.Health/Burn"], 64 + 12),
        (&["call", "--explain", "-v", "--fallback", node.grpc(), &dead, check], 0),
        (&["cluster", "status", "--node", &dead], 64 + 14),
    ];
    for (arguments, code) in cases {
        let mut command = command(arguments);
        command.stdout(Stdio::null()).stderr(without_reader());
        let status = within(command.spawn().unwrap().wait()).await.unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
