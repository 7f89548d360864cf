//! What a panic takes with it: in a handler, in a task of its own, and below the node.

use polywire::{Code, Status};
use polywire_tests::{
    faults::{AS_ASKED, Fault, FaultsClient, Place},
    node::{FREE_PORTS, Node},
};
use tokio::process::Command;

use crate::node::connect;

/// What a process exits with after a panic below it, as any Rust program does whose main thread panics.
const PANICKED: i32 = 101;

async fn node() -> Node {
    Node::start_with(Command::new(env!("CARGO_BIN_EXE_faulty-node")), FREE_PORTS).await
}

fn fault(place: Place) -> Fault {
    Fault { place: place.into() }
}

#[tokio::test]
async fn a_panic_that_is_a_handlers_own_ends_no_more_than_its_call() {
    let node = node().await;
    for target in [node.grpc(), node.iroh()] {
        let client = FaultsClient::new(connect(target).await);
        for place in [Place::Handler, Place::Blocking] {
            let status = client.unary(fault(place)).await.unwrap_err();
            assert_eq!(status.code(), Code::Internal, "{place:?}: {status}");
        }
        client.unary(fault(Place::Task)).await.unwrap();
        let mut answers = client.stream(fault(Place::Answers)).await.unwrap();
        answers.message().await.unwrap().unwrap();
        assert_eq!(answers.message().await.unwrap_err().code(), Code::Internal);
        client.unary(fault(Place::Nowhere)).await.unwrap();
    }
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

#[tokio::test]
async fn a_panic_below_the_node_ends_the_process_at_once_with_its_reason_and_a_code_of_its_own() {
    let node = node().await;
    let client = FaultsClient::new(connect(node.grpc()).await);
    let calling = tokio::spawn(async move { client.unary(fault(Place::Quic)).await });
    let end = node.ended().await;
    assert_eq!(end.code, Some(PANICKED), "{}", end.stderr);
    let reason = end.stderr.lines().find(|line| line.contains("a library below the node panicked"));
    let reason = reason.unwrap_or_else(|| panic!("{}", end.stderr));
    for part in ["ERROR", AS_ASKED, "faults.rs"] {
        assert!(reason.contains(part), "{part} is not in {reason}");
    }
    let lost: Result<Fault, Status> = calling.await.unwrap();
    assert_eq!(lost.unwrap_err().code(), Code::Unavailable);
}
