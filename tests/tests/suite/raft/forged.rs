//! Messages of Raft that are forged: by a node that is no member, and out of what a member has sent.
//!
//! The proofs are made here as `proto/PROOF.md` says, with a member's key, so that each forgery differs from a call that is
//! taken in one thing alone.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use polywire::{Channel, Code, Codec, ConnectOptions, Status, Streaming, Target};
use polywire_proto::{
    access::v1::ChangeRequest,
    cluster::{self, v1::StatusResponse},
    raft::v1::{
        AppendEntriesRequest, InstallSnapshotRequest, LogId, SnapshotHead, Vote, VoteRequest, VoteResponse,
    },
};
use polywire_services::raft::{RaftClient, TokenRecordsClient};
use polywire_tests::pki::Pki;
use prost::Message as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::cluster::Cluster;
use crate::node::connect;

const PROOF: &str = "polywire-proof-bin";
const VOTE: &str = "/polywire.raft.v1.Raft/Vote";
const APPEND: &str = "/polywire.raft.v1.Raft/AppendEntries";
const SNAPSHOT: &str = "/polywire.raft.v1.Raft/InstallSnapshot";

const CHANGE: &str = "/polywire.access.v1.TokenRecords/Change";

/// The outcome of this call, with this proof where there is one.
macro_rules! sent {
    ($call:expr, $proof:expr) => {
        match $proof {
            Some(proof) => $call.codec(Codec::Protobuf).metadata_bin(PROOF, proof).await.map(drop),
            None => $call.await.map(drop),
        }
    };
}

/// A member of which the test has the key.
struct Member {
    key: iroh::SecretKey,
    id: u64,
}

/// A proof before it is signed.
#[derive(Clone)]
struct Proof<'a> {
    callee: [u8; 32],
    path: &'a str,
    body: &'a [u8],
    made_ms: u64,
    number: u64,
}

impl Member {
    fn of(cluster: &Cluster, place: usize) -> Self {
        let text = std::fs::read_to_string(cluster.data_dir(place).join("identity.key")).unwrap();
        let key: iroh::SecretKey = text.trim().parse().unwrap();
        let id = u64::from_be_bytes(*key.public().as_bytes().first_chunk().unwrap());
        Self { key, id }
    }

    fn public(&self) -> [u8; 32] {
        *self.key.public().as_bytes()
    }

    fn sign(&self, proof: &Proof<'_>) -> Bytes {
        let (sender, session) = (self.public(), 7_u64);
        let body = Sha256::digest([b"protobuf\0", proof.body].concat());
        let mut text = Vec::new();
        for field in [
            &b"polywire proof 1"[..],
            &proof.callee,
            &sender,
            &proof.made_ms.to_be_bytes(),
            &session.to_be_bytes(),
            &proof.number.to_be_bytes(),
            &body,
            b"",
            proof.path.as_bytes(),
        ] {
            text.put_u64(field.len() as u64);
            text.put_slice(field);
        }
        let mut bytes = BytesMut::new();
        bytes.put_u8(1);
        bytes.put_slice(&sender);
        bytes.put_u64(proof.made_ms);
        bytes.put_u64(session);
        bytes.put_u64(proof.number);
        bytes.put_slice(&body);
        bytes.put_slice(&self.key.sign(&text).to_bytes());
        bytes.freeze()
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// A candidate of a term that is over: its vote changes nothing, whether or not it is taken.
fn late(to: u64, candidate: u64, cluster_id: &str) -> VoteRequest {
    let vote = Some(Vote { term: 0, node_id: candidate, committed: false });
    VoteRequest { to, vote, last_log_id: None, cluster_id: cluster_id.to_owned() }
}

async fn vote(channel: &Channel, request: VoteRequest, proof: Bytes) -> Result<VoteResponse, Status> {
    let call = RaftClient::new(channel.clone()).vote(request).codec(Codec::Protobuf);
    call.metadata_bin(PROOF, proof).await
}

fn refused<T: std::fmt::Debug>(what: &str, answer: Result<T, Status>, code: Code, why: &str) {
    let status = answer.expect_err(what);
    assert_eq!(status.code(), code, "{what}: {status}");
    assert!(status.message().contains(why), "{what}: {status}");
    assert!(status.is_not_processed(), "{what}: {status}");
}

#[tokio::test]
async fn what_a_member_has_proved_is_good_for_that_call_alone() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let [sends, other] = [(leader + 1) % 3, (leader + 2) % 3];
    let (member, callee) = (Member::of(&cluster, sends), Member::of(&cluster, leader));
    let (target, elsewhere) =
        (connect(cluster.node(leader).grpc()).await, connect(cluster.node(other).grpc()).await);
    let before = cluster.status(leader).await.unwrap();
    let request = late(callee.id, member.id, &before.cluster_id);
    let body = request.encode_to_vec();
    let proof = Proof { callee: callee.public(), path: VOTE, body: &body, made_ms: now_ms(), number: 1 };
    let taken = member.sign(&proof);
    vote(&target, request.clone(), taken.clone()).await.expect("the proof is as PROOF.md says");

    let sent = |number| member.sign(&Proof { number, ..proof.clone() });
    refused("once more", vote(&target, request.clone(), taken).await, Code::Unauthenticated, "used already");
    let another =
        VoteRequest { last_log_id: Some(LogId { term: 9, leader_id: 9, index: 9 }), ..request.clone() };
    let answer = vote(&target, another, sent(2)).await;
    refused("another body", answer, Code::Unauthenticated, "of another message than the call's");
    let append =
        AppendEntriesRequest { to: callee.id, vote: request.vote, ..AppendEntriesRequest::default() };
    let raft = RaftClient::new(target.clone());
    let answer = raft.append_entries(append).codec(Codec::Protobuf).metadata_bin(PROOF, sent(3)).await;
    refused("another method", answer, Code::Unauthenticated, "not signed by its sender");
    let answer = vote(&elsewhere, request.clone(), sent(4)).await;
    refused("another callee", answer, Code::Unauthenticated, "not signed by its sender");
    let forwarded = RaftClient::new(target.clone()).vote(request.clone()).codec(Codec::Protobuf);
    let answer = forwarded.metadata_bin(PROOF, sent(5)).metadata("polywire-forwarded", "1").await;
    refused("marked on the way", answer, Code::Unauthenticated, "not signed by its sender");
    let old = member.sign(&Proof { made_ms: now_ms() - 45_000, number: 6, ..proof.clone() });
    refused("too late", vote(&target, request.clone(), old).await, Code::Unauthenticated, "made 45 s ago");
    vote(&target, request.clone(), sent(7)).await.expect("none of these has spoilt it");

    // What a member proves is itself: it speaks for no other one.
    let usurped = late(callee.id, Member::of(&cluster, other).id, &before.cluster_id);
    let body = usurped.encode_to_vec();
    let proof = member.sign(&Proof { body: &body, number: 8, ..proof });
    let answer = vote(&target, usurped, proof).await.unwrap_err();
    assert_eq!(answer.code(), Code::PermissionDenied, "{answer}");
    unchanged(&cluster, leader, &before).await;
}

/// The proof covers the head of a snapshot, and the head the rest.
#[tokio::test]
async fn a_snapshot_that_is_changed_behind_its_head_is_not_installed() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader().await;
    let place = (leader + 1) % 3;
    let (member, callee) = (Member::of(&cluster, leader), Member::of(&cluster, place));
    let before = cluster.status(place).await.unwrap();
    let head = SnapshotHead {
        to: callee.id,
        vote: Some(Vote { term: before.term, node_id: member.id, committed: true }),
        cluster_id: before.cluster_id.clone(),
        size: 4,
        sha256: Bytes::copy_from_slice(&Sha256::digest(b"good")),
        meta: meta(&before, &member),
    };
    let first = InstallSnapshotRequest { head: Some(head), data: "go".into() };
    let body = first.encode_to_vec();
    let proof = Proof { callee: callee.public(), path: SNAPSHOT, body: &body, made_ms: now_ms(), number: 1 };
    let rest = InstallSnapshotRequest { head: None, data: "ld".into() };
    let raft = RaftClient::new(connect(cluster.node(place).grpc()).await);
    let sending = raft.install_snapshot(Streaming::from_iter([first, rest])).codec(Codec::Protobuf);
    let status = sending.metadata_bin(PROOF, member.sign(&proof)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("another hash than announced"), "{status}");
    unchanged(&cluster, place, &before).await;
}

/// The description of a snapshot of all that this member has, by its leader.
fn meta(status: &StatusResponse, leader: &Member) -> Bytes {
    let last = json!({
        "leader_id": { "term": status.term, "node_id": leader.id },
        "index": status.last_log_index,
    });
    let node = |member: &cluster::v1::Member| {
        let node = json!({ "name": member.name, "endpoint_id": member.endpoint_id, "targets": [] });
        (member.id, node)
    };
    let nodes: BTreeMap<u64, _> = status.members.iter().map(node).collect();
    let configs = [Vec::from_iter(nodes.keys().copied())];
    let last_membership =
        StoredMembership { log_id: last.clone(), membership: Membership { configs, nodes } };
    let meta = SnapshotMeta { last_log_id: last, last_membership, snapshot_id: "forged" };
    rmp_serde::to_vec_named(&meta).unwrap().into()
}

/// A snapshot's description as openraft writes it.
#[derive(serde::Serialize)]
struct SnapshotMeta {
    last_log_id: serde_json::Value,
    last_membership: StoredMembership,
    snapshot_id: &'static str,
}

#[derive(serde::Serialize)]
struct StoredMembership {
    log_id: serde_json::Value,
    membership: Membership,
}

#[derive(serde::Serialize)]
struct Membership {
    configs: [Vec<u64>; 1],
    nodes: BTreeMap<u64, serde_json::Value>,
}

#[tokio::test]
async fn a_stranger_forges_nothing_over_any_transport() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let flags = [
        "--transport.quic.enabled=true".to_owned(),
        "--transport.quic.bind_address=127.0.0.1:0".to_owned(),
        "--transport.websocket.enabled=true".to_owned(),
        "--transport.websocket.bind_address=127.0.0.1:0".to_owned(),
        "--transport.websocket.tls_enabled=true".to_owned(),
        format!("--transport.websocket.tls_cert={}", pki.certificate.display()),
        format!("--transport.websocket.tls_key={}", pki.key.display()),
        "--transport.unix.enabled=true".to_owned(),
    ];
    let cluster = Cluster::start(&Vec::from_iter(flags.iter().map(String::as_str))).await;
    let leader = cluster.leader().await;
    let place = (leader + 1) % 3;
    let (callee, another) = (Member::of(&cluster, place), Member::of(&cluster, (leader + 2) % 3));
    let before = cluster.status(place).await.unwrap();
    let node = cluster.node(place);
    let secret = [9; 32];
    let stranger = Member { key: iroh::SecretKey::from_bytes(&secret), id: 0 };
    let others = ["quic", "websocket", "unix"].map(|transport| node.target(transport));
    let mut number = 0;
    for target in [node.grpc(), node.iroh()].into_iter().chain(others) {
        let options = ConnectOptions::new().secret_key(secret).ca_file(&pki.authority);
        let channel = target.parse::<Target>().unwrap().connect(&options).await.unwrap();
        // Nothing proved but what the connection does; and its own key, by a proof that is good.
        for proves in [false, true] {
            for (what, status) in forgeries(&channel, &before, &callee, &another, |path, body| {
                number += 1;
                let (callee, made_ms) = (callee.public(), now_ms());
                proves.then(|| stranger.sign(&Proof { callee, path, body, made_ms, number }))
            })
            .await
            {
                let is_denied = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
                assert!(is_denied && status.is_not_processed(), "{what} over {target}, {proves}: {status}");
                let is_known = proves.then_some(Code::PermissionDenied);
                assert!(is_known.is_none_or(|code| status.code() == code), "{what} over {target}: {status}");
            }
        }
    }
    unchanged(&cluster, place, &before).await;
}

/// What a leader would send that another node claims to be: of a later term, and elected.
async fn forgeries(
    channel: &Channel,
    status: &StatusResponse,
    callee: &Member,
    leader: &Member,
    mut prove: impl FnMut(&'static str, &[u8]) -> Option<Bytes>,
) -> Vec<(&'static str, Status)> {
    let (to, cluster_id, term) = (callee.id, status.cluster_id.clone(), status.term + 100);
    let log = Some(LogId { term, leader_id: leader.id, index: status.last_log_index + 1 });
    let vote = Some(Vote { term, node_id: leader.id, committed: true });
    let raft = RaftClient::new(channel.clone());
    let entries = AppendEntriesRequest {
        to,
        vote,
        leader_commit: log,
        cluster_id: cluster_id.clone(),
        quorum_age_ms: Some(0),
        ..AppendEntriesRequest::default()
    };
    let candidate = VoteRequest { to, vote, last_log_id: log, cluster_id: cluster_id.clone() };
    let head = SnapshotHead { to, vote, cluster_id, size: 1, ..SnapshotHead::default() };
    let snapshot = InstallSnapshotRequest { head: Some(head), data: "x".into() };
    let change = ChangeRequest { change: "{}".into() };
    let entries_proof = prove(APPEND, &entries.encode_to_vec());
    let candidate_proof = prove(VOTE, &candidate.encode_to_vec());
    let snapshot_proof = prove(SNAPSHOT, &snapshot.encode_to_vec());
    let change_proof = prove(CHANGE, &change.encode_to_vec());
    let snapshots = Streaming::from_iter([snapshot]);
    let records = TokenRecordsClient::new(channel.clone());
    let answers = [
        ("AppendEntries", sent!(raft.append_entries(entries), entries_proof)),
        ("Vote", sent!(raft.vote(candidate), candidate_proof)),
        ("InstallSnapshot", sent!(raft.install_snapshot(snapshots), snapshot_proof)),
        ("TokenRecords/Change", sent!(records.change(change), change_proof)),
    ];
    answers.map(|(what, answer)| (what, answer.expect_err(what))).to_vec()
}

/// Nothing has become of it: the same leader in the same term, the same log.
async fn unchanged(cluster: &Cluster, place: usize, before: &StatusResponse) {
    let after = cluster.status(place).await.unwrap();
    let known = |status: &StatusResponse| (status.term, status.leader_id, status.last_log_index);
    assert_eq!(known(&after), known(before));
}
