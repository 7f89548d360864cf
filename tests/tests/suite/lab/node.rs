//! Nodes on one side of the link, and their callers on the other.

use std::time::{Duration, Instant};

use polywire::{ConnectOptions, Target};
use polywire_services::health::HealthClient;
use polywire_tests::{
    lab::{Conditions, Direction, Lab},
    node::{Finished, Node, binary, run_command},
    patience::{eventually, within},
};

use crate::node::ask;

/// `polywire-node call` of the health service at this target, from near.
async fn check(lab: &Lab, target: &str) -> Finished {
    let mut command = lab.near().command(binary());
    command.args(["call", target, "grpc.health.v1.Health/Check"]);
    run_command(command, "").await
}

async fn assert_serves(lab: &Lab, target: &str) {
    let finished = check(lab, target).await;
    assert_eq!(finished.code, 0, "{target}: {}", finished.stderr);
    assert_eq!(finished.stdout, "{\"status\":\"SERVING\"}\n");
}

#[tokio::test]
async fn a_node_is_called_across_a_good_link_and_a_slow_one() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    for target in [node.grpc(), node.iroh()] {
        assert_serves(&lab, target).await;
    }
    lab.set(Conditions { delay: Duration::from_millis(50), ..Conditions::default() });
    for target in [node.grpc(), node.iroh()] {
        let begun = Instant::now();
        assert_serves(&lab, target).await;
        // A round trip for the connection at least, and one for the call.
        assert!(begun.elapsed() >= Duration::from_millis(200), "{target}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn without_udp_a_node_is_called_over_grpc_and_not_over_iroh() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    lab.set(Conditions { udp_dropped: true, ..Conditions::default() });
    assert_serves(&lab, node.grpc()).await;
    let over_iroh = check(&lab, node.iroh()).await;
    assert_ne!(over_iroh.code, 0, "{}", over_iroh.stdout);
    assert!(lab.counters(Direction::ToFar).dropped.udp > 0);

    lab.set(Conditions { tcp_dropped: true, ..Conditions::default() });
    assert_serves(&lab, node.iroh()).await;
}

#[tokio::test]
async fn a_channel_of_this_process_is_on_the_side_that_it_was_made_on() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    for target in [node.grpc(), node.iroh()] {
        let target: Target = target.parse().unwrap();
        let before = lab.counters(Direction::ToFar).forwarded;
        let called = lab.near().spawn(async move {
            let channel = target.connect(&ConnectOptions::default()).await.unwrap();
            HealthClient::new(channel).check(ask("")).await
        });
        within(called).await.unwrap().unwrap();
        assert!(lab.counters(Direction::ToFar).forwarded > before);
    }
}

#[tokio::test]
async fn a_node_that_is_stopped_answers_once_it_goes_on() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    node.stop().await;
    let mut call = Box::pin(assert_serves(&lab, node.grpc()));
    // The kernel accepts for it, and takes in what it is to read.
    let arrives =
        eventually("the call arrives", async || (lab.counters(Direction::ToFar).forwarded > 3).then_some(()));
    tokio::select! {
        () = &mut call => panic!("a process that stands still answers"),
        () = arrives => {}
    }
    node.cont();
    call.await;
}

#[tokio::test]
async fn a_node_that_was_killed_comes_back_where_it_was_as_who_it_was() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    let before = node.targets.clone();
    let killed = node.kill().await;
    assert_ne!(check(&lab, before.grpc.as_deref().unwrap()).await.code, 0);

    let node = killed.start().await;
    assert_eq!(node.targets, before);
    for target in [node.grpc(), node.iroh()] {
        assert_serves(&lab, target).await;
    }
    // And again, with the flags that it was started with by then.
    let node = node.kill().await.start().await;
    assert_eq!(node.targets, before);
}
