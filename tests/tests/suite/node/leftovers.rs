//! What of a run is in the file system when it has ended.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use polywire_tests::{node::Node, patience::within};
use rustix::process::Signal;

use super::{ask, connect};

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn nothing_of_a_check_is_ever_in_the_data_directory_and_what_was_left_there_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    for name in [".health-4711", ".health-1"] {
        fs::write(directory.path().join(name), "left").unwrap();
    }
    let data_dir = format!("--node.data_dir={}", directory.path().display());
    let node = Node::start(&[&data_dir, "--health.check_interval=1ms"]).await;
    let mut seen = BTreeSet::new();
    let begun = Instant::now();
    // A check writes and waits for the disk: there are hundreds of them in this time, or some at the least.
    while begun.elapsed() < Duration::from_secs(1) {
        seen.extend(names(directory.path()));
        tokio::task::yield_now().await;
    }
    node.kill().await;
    seen.extend(names(directory.path()));
    let left = Vec::from_iter(seen.iter().filter(|name| name.starts_with(".health")));
    assert!(left.is_empty(), "{left:?}");
    assert!(seen.contains("identity.key"), "{seen:?}");
}

#[tokio::test]
async fn a_node_that_is_stopped_right_after_its_start_leaves_what_a_next_one_wants_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = format!("--node.data_dir={}", directory.path().display());
    for _ in 0..5 {
        let node = Node::start(&[&data_dir]).await;
        node.signal(Signal::TERM);
        assert_eq!(node.ended().await.code, Some(0));
    }
    let expected = BTreeSet::from(["identity.key", "ports.toml", "raft", "targets.json"].map(str::to_owned));
    let left = names(directory.path());
    assert!(left.is_subset(&expected), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_calls_in_flight_and_leaves_no_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket: PathBuf = directory.path().join("node.sock");
    let path = format!("--transport.unix.path={}", socket.display());
    let node = Node::start(&["--transport.unix.enabled=true", &path, "--node.drain_timeout=1h"]).await;
    let client =
        polywire_services::reflection::ServerReflectionClient::new(connect(node.target("unix")).await);
    let (_questions, stream) = polywire::Streaming::channel(1);
    let mut held = client.server_reflection_info(stream).await.unwrap();
    assert!(socket.exists());
    node.signal(Signal::TERM);
    let refused = polywire_tests::patience::eventually("it drains", async || {
        let client = polywire_services::health::HealthClient::new(connect(node.target("unix")).await);
        client.check(ask("")).await.err()
    });
    refused.await;
    node.signal(Signal::TERM);
    let end = within(node.ended()).await;
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(!socket.exists());
    held.message().await.expect_err("it was cut");
}
