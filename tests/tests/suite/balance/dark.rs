//! A long stream without a deadline, across a link that goes dark.

use std::time::{Duration, Instant};

use polywire::{Channel, Code, Status};
use polywire_services::health::HealthClient;
use polywire_tests::{
    lab::{Conditions, Lab},
    node::Node,
    patience::within,
};
use tokio::sync::{mpsc, oneshot};

use crate::node::ask;

/// Watches the health of the node at this target until that ends; tells when it has begun, and how it has ended.
async fn watch(target: String, begun: mpsc::UnboundedSender<()>, ended: oneshot::Sender<Status>) {
    let channel = Channel::builder().target(target.as_str()).connect().await.unwrap();
    let mut changes = HealthClient::new(channel).watch(ask("")).await.unwrap();
    assert!(changes.message().await.unwrap().is_some());
    begun.send(()).unwrap();
    let status = loop {
        match changes.message().await {
            Ok(change) => assert!(change.is_some(), "it does not end by itself"),
            Err(status) => break status,
        }
    };
    ended.send(status).unwrap();
}

#[tokio::test]
async fn a_long_stream_ends_soon_after_its_path_has_gone_dark_whatever_its_transport_waits_for() {
    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    let (tell, mut begun) = mpsc::unbounded_channel();
    let mut ends = Vec::new();
    for target in [node.grpc().to_owned(), node.iroh().to_owned()] {
        let (ended, end) = oneshot::channel();
        drop(lab.near().spawn(watch(target, tell.clone(), ended)));
        ends.push(end);
        within(begun.recv()).await.unwrap();
    }
    lab.set(Conditions { down: true, ..Conditions::default() });
    let dark = Instant::now();
    for end in ends {
        let status = within(end).await.unwrap();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        // The silence, a probe, and what a busy machine adds.
        assert!(dark.elapsed() < Duration::from_secs(9), "{:?}: {status}", dark.elapsed());
    }
}
