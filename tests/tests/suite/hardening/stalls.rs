//! Peers that stand still in every phase of handshakes and calls, at either end.

use std::{path::Path, process::Stdio, time::Duration};

use polywire::{ConnectOptions, Target};
use polywire_tests::{
    ledger::{Journal, LedgerClient, Order},
    node::{FREE_PORTS, Node},
    patience::within,
    stall::Stalling,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::Instant,
};

/// For how long a peer stalls, at least.
const STALLED: Duration = Duration::from_secs(4);

/// How many rounds of a stalled peer must have gone well: it is served all the same.
const ROUNDS: usize = 2;

/// How long a call may take that another client makes to a node that does not stall.
const SOON: Duration = Duration::from_secs(5);

/// A node of every transport that another process can reach.
async fn node(directory: &Path) -> Node {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger-node"));
    command.env(Journal::VARIABLE, directory.join("journal"));
    let socket = format!("--transport.unix.path={}", directory.join("node.sock").display());
    let flags = [
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.unix.enabled=true",
        &socket,
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ];
    Node::start_with(command, FREE_PORTS.into_iter().chain(flags)).await
}

fn target<'a>(node: &'a Node, transport: &str) -> &'a str {
    match transport {
        "grpc" => node.grpc(),
        "iroh" => node.iroh(),
        other => node.target(other),
    }
}

/// The process that dials and calls these targets in turns, and what it says.
struct Caller {
    child: Child,
    rounds: Lines<BufReader<ChildStdout>>,
}

impl Caller {
    fn start(targets: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restless-caller"));
        command.args(targets).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let rounds = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, rounds }
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("a process that has not been waited for")
    }

    /// Waits until that many rounds with the target of this number have gone well since this was called.
    async fn went_well(&mut self, number: usize, times: usize) {
        let mut seen = 0;
        while seen < times {
            let line = within(self.rounds.next_line()).await.unwrap();
            seen += usize::from(line.expect("it goes on") == number.to_string());
        }
    }

    /// It has not ended by itself.
    fn assert_alive(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "the caller has ended");
    }
}

/// Calls the node as a client that is well does.
async fn served(target: &str) {
    let target: Target = target.parse().unwrap();
    let client = LedgerClient::new(target.connect(&ConnectOptions::new()).await.unwrap());
    client.look(Order::default()).timeout(SOON).await.unwrap_or_else(|status| panic!("{target}: {status}"));
}

async fn assert_unharmed(node: Node) {
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
}

async fn clients_stall(transport: &str) {
    let directory = tempfile::tempdir().unwrap();
    let node = node(directory.path()).await;
    let mut caller = Caller::start(&[target(&node, transport)]);
    caller.went_well(0, 1).await;
    let stalling = Stalling::begin(caller.pid());
    let begun = Instant::now();
    let others = async {
        while begun.elapsed() < STALLED {
            served(target(&node, transport)).await;
            served(node.grpc()).await;
        }
    };
    tokio::join!(others, caller.went_well(0, ROUNDS));
    drop(stalling);
    caller.went_well(0, 1).await;
    caller.assert_alive();
    served(target(&node, transport)).await;
    drop(caller);
    assert_unharmed(node).await;
}

async fn server_stalls(transport: &str) {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let node = [node(directories[0].path()).await, node(directories[1].path()).await];
    let targets = node.each_ref().map(|node| target(node, transport));
    let mut caller = Caller::start(&targets);
    caller.went_well(0, 1).await;
    let stalling = Stalling::begin(node[0].pid());
    let begun = Instant::now();
    caller.went_well(0, ROUNDS).await;
    // The other server is called all the while.
    while begun.elapsed() < STALLED {
        caller.went_well(1, 1).await;
    }
    drop(stalling);
    caller.went_well(0, 1).await;
    caller.assert_alive();
    drop(caller);
    let [stalled, other] = node;
    assert_unharmed(stalled).await;
    assert_unharmed(other).await;
}

#[tokio::test]
async fn a_client_that_stalls_over_iroh_harms_neither_the_node_nor_its_other_clients() {
    clients_stall("iroh").await;
}

#[tokio::test]
async fn a_client_that_stalls_over_quic_harms_neither_the_node_nor_its_other_clients() {
    clients_stall("quic").await;
}

#[tokio::test]
async fn a_client_that_stalls_over_grpc_harms_neither_the_node_nor_its_other_clients() {
    clients_stall("grpc").await;
}

#[tokio::test]
async fn a_client_that_stalls_over_websocket_harms_neither_the_node_nor_its_other_clients() {
    clients_stall("websocket").await;
}

#[tokio::test]
async fn a_client_that_stalls_over_unix_harms_neither_the_node_nor_its_other_clients() {
    clients_stall("unix").await;
}

#[tokio::test]
async fn a_server_that_stalls_over_iroh_harms_no_client() {
    server_stalls("iroh").await;
}

#[tokio::test]
async fn a_server_that_stalls_over_quic_harms_no_client() {
    server_stalls("quic").await;
}

#[tokio::test]
async fn a_server_that_stalls_over_grpc_harms_no_client() {
    server_stalls("grpc").await;
}

#[tokio::test]
async fn a_server_that_stalls_over_websocket_harms_no_client() {
    server_stalls("websocket").await;
}

#[tokio::test]
async fn a_server_that_stalls_over_unix_harms_no_client() {
    server_stalls("unix").await;
}
