use std::time::{Duration, Instant};

use polywire::{Code, Status, Streaming};
use polywire_proto::grpc::{
    health::v1::health_check_response::ServingStatus,
    reflection::v1::{
        ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    },
};
use polywire_services::{health::HealthClient, reflection::ServerReflectionClient};
use polywire_tests::{
    node::{End, Node},
    patience::{eventually, within},
};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::{ask, connect, status};

/// What an orchestrator grants between the signal and the kill, as a rule.
const GRACE: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_ended_well(end: &End, begun: Instant) {
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert!(begun.elapsed() < GRACE, "{:?}: {}", begun.elapsed(), end.stderr);
}

/// A call in flight: it answers each question as it is asked.
struct Conversation {
    questions: mpsc::Sender<Result<ServerReflectionRequest, Status>>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn begin(target: &str) -> Self {
        let (questions, stream) = Streaming::channel(1);
        questions.send(Ok(question())).await.unwrap();
        let client = ServerReflectionClient::new(connect(target).await);
        let mut answers = client.server_reflection_info(stream).await.unwrap();
        within(answers.message()).await.unwrap().unwrap();
        Self { questions, answers }
    }

    async fn ask(&mut self) -> Result<Option<ServerReflectionResponse>, Status> {
        // It may have been cut, and then the answer says so.
        let _ = self.questions.send(Ok(question())).await;
        within(self.answers.message()).await
    }
}

fn question() -> ServerReflectionRequest {
    let message_request = Some(MessageRequest::ListServices(String::new()));
    ServerReflectionRequest { message_request, ..ServerReflectionRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_watch_is_told_and_does_not_hold_up_the_end() {
    let node = Node::start(&[]).await;
    let mut watches = Vec::new();
    for target in [node.grpc(), node.iroh()] {
        let client = HealthClient::new(connect(target).await);
        let mut watch = client.watch(ask("")).await.unwrap();
        let first = within(watch.message()).await.unwrap().unwrap();
        assert_eq!(status(&first), ServingStatus::Serving);
        watches.push(watch);
    }
    let begun = Instant::now();
    node.signal(Signal::TERM);
    for watch in &mut watches {
        let last = within(watch.message()).await.unwrap().unwrap();
        assert_eq!(status(&last), ServingStatus::NotServing);
        assert_eq!(within(watch.message()).await.unwrap(), None);
    }
    assert_ended_well(&node.ended().await, begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_go_on_while_new_ones_are_refused() {
    let node = Node::start(&[]).await;
    let mut conversations = [Conversation::begin(node.grpc()).await, Conversation::begin(node.iroh()).await];
    let begun = Instant::now();
    node.signal(Signal::TERM);
    eventually("it is not ready", async || (node.get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(node.get("/livez").await.status, 200);
    for target in [node.grpc(), node.iroh()] {
        let late = eventually("new calls are refused", async || super::health(target, "").await.err()).await;
        assert_eq!(late.code(), Code::Unavailable, "{target}: {late}");
    }
    for conversation in &mut conversations {
        assert!(conversation.ask().await.unwrap().is_some());
    }
    let [first, second] = conversations;
    for mut conversation in [first, second] {
        drop(conversation.questions);
        assert_eq!(within(conversation.answers.message()).await.unwrap(), None);
    }
    assert_ended_well(&node.ended().await, begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_drain_is_cut() {
    let node = Node::start(&["--node.drain_timeout=500ms"]).await;
    let mut conversations = [Conversation::begin(node.grpc()).await, Conversation::begin(node.iroh()).await];
    let begun = Instant::now();
    node.signal(Signal::TERM);
    let end = node.ended().await;
    assert_ended_well(&end, begun);
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for conversation in &mut conversations {
        assert_eq!(conversation.ask().await.unwrap_err().code(), Code::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_the_end() {
    let node = Node::start(&[]).await;
    let mut held = Vec::new();
    for target in [node.grpc(), node.iroh()] {
        let client = HealthClient::new(connect(target).await);
        client.check(ask("")).await.unwrap();
        held.push(client);
    }
    let end = node.terminate().await;
    assert_eq!(end.code, Some(0));
    assert!(end.took < Duration::from_secs(5), "{:?}", end.took);
}

/// How probes and new connections fare with a node that has been told to stop.
async fn assert_serves_unready(node: &Node) {
    eventually("it is not ready", async || (node.get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(node.get("/livez").await.status, 200);
    for target in [node.grpc(), node.iroh()] {
        let answer = super::health(target, "").await.expect("a new connection is taken, and its call");
        assert_eq!(answer, ServingStatus::NotServing, "{target}");
        let mut conversation = Conversation::begin(target).await;
        assert!(conversation.ask().await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_time_of_the_delay_a_node_is_not_ready_and_serves_as_before() {
    let delay = Duration::from_secs(3);
    let node = Node::start(&["--node.drain_delay=3s"]).await;
    let mut conversation = Conversation::begin(node.grpc()).await;
    let begun = Instant::now();
    node.signal(Signal::TERM);
    assert_serves_unready(&node).await;
    // The machine was not so slow that the time was over.
    assert!(begun.elapsed() < delay, "{:?}", begun.elapsed());
    assert!(conversation.ask().await.unwrap().is_some());
    let late = eventually("new calls are refused", async || super::health(node.grpc(), "").await.err()).await;
    assert_eq!(late.code(), Code::Unavailable, "{late}");
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    assert!(conversation.ask().await.unwrap().is_some(), "what is in flight goes on");
    drop(conversation);
    assert_ended_well(&node.ended().await, begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_delay_and_a_third_the_calls_in_flight() {
    let node = Node::start(&["--node.drain_delay=1h", "--node.drain_timeout=1h"]).await;
    let mut conversation = Conversation::begin(node.grpc()).await;
    node.signal(Signal::TERM);
    assert_serves_unready(&node).await;
    node.signal(Signal::TERM);
    eventually("new calls are refused", async || super::health(node.grpc(), "").await.err()).await;
    assert!(conversation.ask().await.unwrap().is_some(), "what is in flight goes on");
    node.signal(Signal::TERM);
    assert_eq!(within(node.ended()).await.code, Some(1));
    assert_eq!(conversation.ask().await.unwrap_err().code(), Code::Unavailable);
}
