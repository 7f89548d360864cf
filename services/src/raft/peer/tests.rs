use polywire::{ConnectOptions, Context, Payload, Response, Service, Streaming, config::RaftTransport};
use polywire_proto::raft::v1::{VoteRequest, VoteResponse};

use super::*;
use crate::raft::{RaftClient, peers::Peers};

const RULE: RaftTransport = RaftTransport::Adaptive { latency_threshold_ms: 20.0 };

/// A member that grants every vote in 3 ms and takes 5 s for a write, unless it has something else to say.
#[derive(Clone, Default)]
struct Voter(Arc<Mutex<Option<Status>>>);

impl Service for Voter {
    async fn unary(&self, cx: Context, _: Payload) -> Result<Response<Payload>, Status> {
        let is_write = cx.path().starts_with("/polywire.kv.");
        tokio::time::sleep(Duration::from_millis(if is_write { 5_000 } else { 3 })).await;
        match self.0.lock().clone() {
            Some(refusal) => Err(refusal),
            None => Ok(Response::new(Payload::new(VoteResponse { granted: true, ..Default::default() }))),
        }
    }

    async fn stream(
        &self,
        _: Context,
        _: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Err(Status::unimplemented("it takes no streams"))
    }
}

/// A member that is this one.
async fn peer(voter: &Voter) -> (Peers, Arc<Peer>) {
    over(Channel::builder().connection("iroh", voter.clone())).await
}

async fn over(builder: ChannelBuilder) -> (Peers, Arc<Peer>) {
    let peers = Peers::new(&ConnectOptions::new(), RULE, None, None);
    let peer = peers.learn(1, &Member::default());
    let rule = peer.dialling.rule();
    let channel = peer.choosing(builder, &rule).connect().await.unwrap();
    let open = OpenChannel { calls: channel.clone(), channel, rule, renew: None, close: Mutex::default() };
    peer.lock().open = Some(Arc::new(open));
    (peers, peer)
}

async fn vote(peer: &Peer) -> Result<VoteResponse, Status> {
    peer.consensus(async |channel| RaftClient::new(channel).vote(VoteRequest::default()).await).await
}

async fn write(peer: &Peer) {
    let write = async |channel| {
        let kv = crate::raft::KvClient::new(channel);
        kv.put(polywire_proto::kv::v1::PutRequest::default()).await
    };
    // What it answers is no answer to a write, and an answer all the same.
    let _ = peer.call(write).await;
}

#[tokio::test(start_paused = true)]
async fn only_messages_of_consensus_say_how_far_a_member_is() {
    let (peers, peer) = peer(&Voter::default()).await;
    write(&peer).await;
    let report = peers.reports().remove(0);
    assert_eq!((report.transport, report.latency), (Some("iroh"), None), "it was there, and that is all");
    vote(&peer).await.unwrap();
    write(&peer).await;
    assert_eq!(peers.reports()[0].latency, Some(Duration::from_millis(3)));
    assert!(peers.reports()[0].is_reachable());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_consensus_is_not_the_member_that_it_was() {
    let voter = Voter::default();
    let (peers, peer) = peer(&voter).await;
    vote(&peer).await.unwrap();
    *voter.0.lock() = Some(Status::failed_precondition("this is another cluster"));
    write(&peer).await;
    assert!(peers.reports()[0].is_reachable(), "a write may be refused");
    vote(&peer).await.unwrap_err();
    let report = peers.reports().remove(0);
    let why = ("iroh", "FAILED_PRECONDITION: this is another cluster".to_owned());
    assert!(!report.is_reachable());
    assert_eq!(report.failures, std::slice::from_ref(&why));
    *voter.0.lock() = None;
    vote(&peer).await.unwrap();
    let report = peers.reports().remove(0);
    assert!(report.is_reachable() && report.failures.is_empty(), "{report:?}");
    assert_eq!((report.past[0].0, report.past[0].2.clone()), why, "it is remembered");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_one_transport_does_not_reach_is_reached_over_the_other() {
    let (iroh, grpc) = (Voter::default(), Voter::default());
    let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
    let (peers, peer) = over(builder).await;
    vote(&peer).await.unwrap();
    assert_eq!(peers.reports()[0].transport, Some("iroh"), "it is preferred");
    *iroh.0.lock() = Some(Status::unavailable("UDP is blocked").not_processed());
    vote(&peer).await.unwrap();
    let report = peers.reports().remove(0);
    assert!(report.is_reachable() && peer.is_rerouted.load(Ordering::Relaxed));
    assert_eq!(report.transport, Some("grpc"));
    assert_eq!(report.failures, [("iroh", "UDP is blocked".to_owned())]);
    *iroh.0.lock() = None;
    tokio::time::sleep(Duration::from_secs(8)).await;
    vote(&peer).await.unwrap();
    assert!(!peer.is_rerouted.load(Ordering::Relaxed), "that is over");
    assert_eq!(peers.reports()[0].transport, Some("iroh"));
}

#[test]
fn where_a_member_says_that_it_is_holds_until_the_cluster_says_something_else() {
    let peers = Peers::new(&ConnectOptions::new(), RULE, None, None);
    let run = |incarnation| Member {
        targets: vec![format!("grpc://127.0.0.1:{incarnation}")],
        incarnation,
        ..Member::default()
    };
    peers.learn(1, &run(1));
    peers.follow(1, &run(1), run(2), bytes::Bytes::new());
    assert_eq!(peers.latest(1, &run(1)), run(2));
    peers.learn(1, &run(1));
    assert_eq!(peers.reports()[0].member, run(2));
    peers.learn(1, &run(3));
    assert_eq!(peers.reports()[0].member, run(3));
    assert!(peers.moved().is_empty());
    assert_eq!(peers.latest(1, &run(1)), run(1), "it is forgotten");
}

#[tokio::test]
async fn a_member_without_an_address_that_may_be_taken_is_not_reached() {
    let peers = Peers::new(&ConnectOptions::new(), RaftTransport::AlwaysIroh, None, None);
    let member = Member { targets: vec!["grpc://127.0.0.1:1".to_owned()], ..Member::default() };
    let status = vote(&peers.learn(1, &member)).await.unwrap_err();
    assert!(status.message().contains("has no address over iroh, which "), "{status}");
    let report = peers.reports().remove(0);
    assert_eq!(report.failures, [("iroh", status.to_string())]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_refuses_this_node_in_consensus_is_reachable_again_by_consensus_alone() {
    let voter = Voter::default();
    let (_peers, peer) = peer(&voter).await;
    *voter.0.lock() = Some(Status::permission_denied("no member"));
    vote(&peer).await.unwrap_err();
    *voter.0.lock() = Some(Status::not_found("no such member"));
    write(&peer).await;
    assert!(!peer.report().failures.is_empty(), "it answers, and refuses still");
    *voter.0.lock() = None;
    vote(&peer).await.unwrap();
    assert!(peer.report().failures.is_empty());
}
