//! A peer that is a process of its own, and is killed or stopped.

use std::time::Duration;

use polywire::{Channel, Code, Status};
use polywire_proto::grpc::health::v1::HealthCheckRequest;
use polywire_services::health::HealthClient;
use polywire_tests::{
    lab::Lab,
    node::Node,
    patience::{eventually, within},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

/// Asks how the peer is, twenty times a second; what comes of it, until the receiver is gone.
async fn ask_on(
    targets: [String; 2],
    told: mpsc::UnboundedSender<(Result<(), Status>, Duration, &'static str)>,
) {
    let channel = Channel::builder().targets(targets).connect().await.unwrap();
    let client = HealthClient::new(channel.clone());
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !told.is_closed() {
        ticks.tick().await;
        let (client, channel, told) = (client.clone(), channel.clone(), told.clone());
        tokio::spawn(async move {
            let begun = Instant::now();
            let asked = client.check(HealthCheckRequest::default()).timeout(Duration::from_secs(8)).await;
            let taken = channel.explain().unwrap().services[0].taken;
            let _ = told.send((asked.map(|_| ()), begun.elapsed(), taken));
        });
    }
}

#[tokio::test]
async fn a_peer_that_is_killed_and_comes_back_is_called_again_over_the_preferred_transport() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let asking = lab.near().spawn(ask_on([node.iroh().to_owned(), node.grpc().to_owned()], tell));
    within(told.recv()).await.unwrap().0.unwrap();

    let killed = node.kill().await;
    let status = loop {
        if let (Err(status), ..) = within(told.recv()).await.unwrap() {
            break status;
        }
    };
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}");

    let node = killed.start().await;
    let back = Instant::now();
    let over_iroh = async {
        loop {
            if let (Ok(()), _, "iroh") = told.recv().await.unwrap() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), over_iroh).await.expect("within two probe intervals");
    assert!(back.elapsed() < Duration::from_secs(30));
    drop((told, node));
    within(asking).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_stands_still_for_three_seconds_costs_no_call_that_waits_longer() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let asking = lab.near().spawn(ask_on([node.iroh().to_owned(), node.grpc().to_owned()], tell));
    within(told.recv()).await.unwrap().0.unwrap();

    node.stop().await;
    let stopped = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    node.cont();
    // Until one is answered that was made when all was well again.
    let mut lost = Vec::new();
    eventually("all is well again", async || {
        let (outcome, took, _) = told.recv().await.unwrap();
        let soon = took < Duration::from_millis(500) && stopped.elapsed() > Duration::from_secs(4);
        if let Err(status) = outcome {
            // A call that was not processed can be made again.
            lost.extend((!status.is_not_processed()).then_some(status));
            return None;
        }
        soon.then_some(())
    })
    .await;
    assert!(lost.is_empty(), "{lost:?}");
    drop(told);
    within(asking).await.unwrap();
}
