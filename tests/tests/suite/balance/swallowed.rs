//! A path that swallows large packets of TCP, and carries small ones and UDP.

use std::time::Duration;

use polywire::{Channel, ConnectOptions, Status, SubchannelState, policy::Policy};
use polywire_tests::{
    lab::{Conditions, Direction, Lab},
    ledger::{Journal, LedgerClient, Order},
    node::Node,
    patience::within,
};
use tokio::{process::Command, task::JoinSet};

/// How large a packet may be. A handshake, and a probe that carries nothing, are smaller.
const HOLE: Conditions = Conditions { largest_tcp: Some(1_300), ..GOOD };

const GOOD: Conditions = Conditions {
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    reorder: 0.0,
    duplicate: 0.0,
    rate: None,
    queue: 256 << 10,
    loss: 0.0,
    udp_dropped: false,
    tcp_dropped: false,
    largest_tcp: None,
    down: false,
};

/// How many calls are made, how long one may take, and how much later the next is made. What a call is lost by is known
/// within that time, and forgotten behind it if it is ever.
const CALLS: u64 = 20;
const TIMEOUT: Duration = Duration::from_secs(3);
const PACE: Duration = Duration::from_millis(400);

/// How much a call sends.
const BALLAST: u32 = 200_000;

/// A node that executes orders on the far side, where its journal is, and its targets over gRPC and Iroh.
async fn node(lab: &Lab) -> (Node, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut command: Command = lab.far().command(env!("CARGO_BIN_EXE_ledger-node"));
    command.env(Journal::VARIABLE, directory.path().join("journal"));
    let address = lab.far().address();
    let flags = [
        format!("--transport.grpc.bind_address={address}:0"),
        format!("--transport.iroh.bind_address={address}"),
        format!("--http.bind_address={address}:0"),
        "--insecure".to_owned(),
    ];
    (Node::start_with(command, flags.iter().map(String::as_str)).await, directory)
}

/// A client that prefers gRPC, once it works.
async fn client(targets: [String; 2]) -> LedgerClient {
    let builder = Channel::builder().options(ConnectOptions::new()).targets(targets);
    let channel = builder.policy(Policy::default().prefer(["grpc"])).connect().await.unwrap();
    let client = LedgerClient::new(channel.clone());
    let works = || {
        let told = channel.explain().unwrap();
        told.subchannels
            .iter()
            .any(|route| route.transport == "grpc" && route.state == SubchannelState::Closed)
    };
    // Until its caller loses patience.
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !works() {
        ticks.tick().await;
        client.look(Order::default()).timeout(TIMEOUT).await.unwrap();
    }
    client
}

/// Makes these calls at their pace; those that failed.
async fn call(client: &LedgerClient, order: impl Fn(u64) -> Order, idempotent: bool) -> Vec<Status> {
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(PACE);
    for name in 0..CALLS {
        ticks.tick().await;
        let (client, order) = (client.clone(), order(name));
        calls.spawn(async move {
            match idempotent {
                true => client.look(order).timeout(TIMEOUT).await,
                false => client.enter(order).timeout(TIMEOUT).await,
            }
        });
    }
    calls.join_all().await.into_iter().filter_map(Result::err).collect()
}

/// What is lost of calls that send much, or are sent much, on a path that begins to swallow it.
async fn lost(
    direction: Option<Direction>,
    order: fn(u64) -> Order,
    idempotent: bool,
) -> Option<Vec<Status>> {
    let lab = std::sync::Arc::new(Lab::or_skip().await?);
    let (node, _directory) = node(&lab).await;
    let targets = [node.grpc().to_owned(), node.iroh().to_owned()];
    let link = lab.clone();
    let calling = lab.near().spawn(async move {
        let client = client(targets).await;
        match direction {
            None => link.set(HOLE),
            Some(direction) => link.set_one_way(direction, HOLE),
        }
        call(&client, order, idempotent).await
    });
    let lost = within(calling).await.unwrap();
    let dropped = [Direction::ToFar, Direction::ToNear].map(|way| lab.counters(way).dropped.large);
    assert!(dropped.iter().sum::<u64>() > 0, "large packets were sent, and swallowed");
    Some(lost)
}

fn sends_much(name: u64) -> Order {
    Order { name, ballast: vec![0; BALLAST as usize], ..Order::default() }
}

fn is_sent_much(name: u64) -> Order {
    Order { name, answer: BALLAST, ..Order::default() }
}

#[tokio::test]
async fn of_calls_that_may_be_executed_once_only_those_are_lost_that_were_under_way_when_it_began() {
    let Some(lost) = lost(None, sends_much, false).await else { return };
    // The silence is known after half a second, and proved a second later.
    assert!(lost.len() <= 4, "{} of {CALLS} calls: {lost:?}", lost.len());
}

#[tokio::test]
async fn no_call_is_lost_that_may_be_made_again() {
    let Some(lost) = lost(None, sends_much, true).await else { return };
    assert_eq!(lost.len(), 0, "{lost:?}");
}

#[tokio::test]
async fn where_answers_alone_are_swallowed_no_more_is_lost() {
    let Some(lost) = lost(Some(Direction::ToNear), is_sent_much, false).await else { return };
    assert!(lost.len() <= 4, "{} of {CALLS} calls: {lost:?}", lost.len());
}
