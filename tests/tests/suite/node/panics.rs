//! What a handler that panics costs the process.

use polywire::{Code, Streaming};
use polywire_tests::{
    ledger::{Fate, Journal, LedgerClient, Order},
    node::{FREE_PORTS, Node},
};
use tokio::process::Command;

use super::connect;
use crate::hardening::resident;

/// What the process may grow by for the first panic: far less than a backtrace takes, whose symbols are hundreds of MiB.
const GROWTH: u64 = 32 << 20;

/// A node whose handlers do as they are told, and whose backtraces are on.
async fn node(flags: &[&str]) -> Node {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger-node"));
    command.env("RUST_BACKTRACE", "1").env(Journal::VARIABLE, "journal");
    Node::start_with(command, FREE_PORTS.iter().chain(flags).copied()).await
}

fn panicking() -> Order {
    Order { fate: Fate::Panics.into(), ..Order::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_a_handler_is_one_line_with_its_method_and_place_and_costs_little_memory() {
    let node = node(&["--log.format=json"]).await;
    for target in [node.grpc(), node.iroh()] {
        let client = LedgerClient::new(connect(target).await);
        client.look(Order::default()).await.unwrap();
        let before = resident(node.pid());
        let status = client.enter(panicking()).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
        let growth = resident(node.pid()).saturating_sub(before);
        assert!(growth <= GROWTH, "{} MiB", growth >> 20);
        let status = client.enter_all(Streaming::once(panicking())).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
        client.look(Order::default()).await.unwrap();
    }
    let log = node.terminate().await.stderr;
    assert!(!log.contains("stack backtrace"), "{log}");
    let lines = Vec::from_iter(log.lines().filter(|line| line.contains("panicked")));
    let methods = ["Enter", "EnterAll", "Enter", "EnterAll"];
    assert_eq!(lines.len(), methods.len(), "{log}");
    for (line, method) in lines.into_iter().zip(methods) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["method"], format!("ledger.v1.Ledger/{method}"), "{line}");
        assert_eq!(line["panic"], "as ordered", "{line}");
        assert!(line["place"].as_str().unwrap().contains("ledger.rs:"), "{line}");
    }
}
