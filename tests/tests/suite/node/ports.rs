//! What is bound already when something cannot be bound.

use std::{
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixListener,
    process::Stdio,
    time::Duration,
};

use polywire_tests::{
    node::{FREE_PORTS, binary, run},
    patience::within,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

/// Every transport that listens on something, on what is free.
fn all_on(directory: &std::path::Path) -> Vec<String> {
    let socket = format!("--transport.unix.path={}", directory.join("free.sock").display());
    let others = [
        "serve",
        "--json",
        "--log.format=human",
        FREE_PORTS[0],
        FREE_PORTS[1],
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        &socket,
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ];
    others.map(str::to_owned).to_vec()
}

/// Nothing is said but why, and that is said last.
fn assert_one_reason(stderr: &str, parts: &[&str]) {
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{stderr}");
    for part in parts {
        assert!(last.contains(part), "{part} is not in {last}");
    }
    assert!(!stderr.contains("ERROR"), "{stderr}");
    assert!(!stderr.contains("dropped"), "{stderr}");
}

#[tokio::test]
async fn of_what_cannot_be_bound_the_reason_is_the_last_word_whatever_was_bound_before() {
    let directory = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = directory.path().join("taken.sock");
    let _unix = UnixListener::bind(&path).unwrap();
    let (tcp, udp) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    let cases = [
        ("transport.grpc.bind_address", tcp.to_string()),
        ("transport.iroh.discovery_port", udp.port().to_string()),
        ("transport.quic.bind_address", udp.to_string()),
        ("transport.unix.path", path.display().to_string()),
        ("transport.websocket.bind_address", tcp.to_string()),
        ("http.bind_address", tcp.to_string()),
    ];
    for (key, value) in cases {
        let mut arguments = all_on(directory.path());
        arguments.retain(|argument| !argument.starts_with(&format!("--{key}=")));
        arguments.push(format!("--{key}={value}"));
        let arguments = Vec::from_iter(arguments.iter().map(String::as_str));
        let refused = run(directory.path(), &arguments).await;
        assert_eq!((refused.code, &*refused.stdout), (1, ""), "{key}: {}", refused.stderr);
        assert_one_reason(&refused.stderr, &[key, &value]);
        assert!(!directory.path().join("free.sock").exists(), "{key}: what was bound is closed");
    }
}

#[tokio::test]
async fn what_was_bound_is_closed_where_calls_cannot_be_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let itself = format!("grpc://{free}");
    let refused = run(
        directory.path(),
        &["gateway", "--log.format=human", "--listen", &itself, "--listen", "iroh", &itself],
    )
    .await;
    assert_eq!((refused.code, &*refused.stdout), (1, ""), "{}", refused.stderr);
    assert_one_reason(&refused.stderr, &["the target is this node itself"]);
}

#[tokio::test]
async fn a_node_that_is_stopped_while_it_starts_says_nothing_of_what_it_had_bound() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = all_on(directory.path());
    // At every moment of a start, which takes about a tenth of a second.
    for pause in (0..20).map(|step| Duration::from_millis(10 * step)) {
        let mut command = Command::new(binary());
        command.args(&arguments).current_dir(directory.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // Not a wait for something: the moment at which it is stopped.
        tokio::time::sleep(pause).await;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let output = within(child.wait_with_output()).await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("ERROR") && !stderr.contains("dropped"), "after {pause:?}: {stderr}");
    }
}
