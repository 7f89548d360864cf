use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use polywire::{
    Caller, Channel, Code, Health, Payload, Response, Service, ServiceExt as _, Status, Streaming,
};
use polywire_proto::raft::v1;

use super::*;
use crate::raft::{Raft, RaftClient, RaftServer, handle::Handle, key::NodeKey};

/// A member that grants votes and takes snapshots, and counts both.
#[derive(Clone, Default)]
struct Granting(Arc<Mutex<u32>>);

impl Raft for Granting {
    async fn append_entries(
        &self,
        _: &Context,
        _: v1::AppendEntriesRequest,
    ) -> Result<v1::AppendEntriesResponse, Status> {
        *self.0.lock() += 1;
        Ok(v1::AppendEntriesResponse::default())
    }

    async fn vote(&self, cx: &Context, _: v1::VoteRequest) -> Result<v1::VoteResponse, Status> {
        *self.0.lock() += 1;
        assert!(proven(cx).is_some(), "the handler learns who calls");
        Ok(v1::VoteResponse { granted: true, ..v1::VoteResponse::default() })
    }

    async fn install_snapshot(
        &self,
        _: &Context,
        mut requests: Streaming<v1::InstallSnapshotRequest>,
    ) -> Result<v1::InstallSnapshotResponse, Status> {
        let mut parts = 0;
        while requests.message().await?.is_some() {
            parts += 1;
        }
        assert_eq!(parts, 3);
        *self.0.lock() += 1;
        Ok(v1::InstallSnapshotResponse::default())
    }
}

/// What is between two members, and may change what passes.
#[derive(Clone)]
struct Wire {
    to: Channel,
    change: fn(&mut Passing),
}

/// A call or its answer on the way.
struct Passing {
    path: String,
    proof: Option<Bytes>,
    forwarded: bool,
    message: Vec<u8>,
    answer: Option<(Option<Bytes>, Vec<u8>)>,
    again: bool,
}

impl Wire {
    fn incoming(&self, cx: &Context, passing: &Passing) -> Context {
        let mut incoming = Context::incoming(passing.path.clone(), Arc::new(Caller::new("grpc")))
            .unwrap()
            .with_codec(Codec::Protobuf);
        *incoming.metadata_mut() = cx.metadata().clone();
        incoming.metadata_mut().remove(PROOF);
        if let Some(proof) = &passing.proof {
            incoming.metadata_mut().insert_bin(PROOF, proof.clone()).unwrap();
        }
        if passing.forwarded {
            incoming.metadata_mut().insert(FORWARDED, "1").unwrap();
        }
        incoming
    }
}

impl Service for Wire {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut passing = Passing {
            path: cx.path().to_owned(),
            proof: cx.metadata().get_bin(PROOF).cloned(),
            forwarded: false,
            message: message.as_encoded(Codec::Protobuf).map(|bytes| bytes.to_vec()).unwrap_or_else(|| {
                let mut bytes = BytesMut::new();
                message.encode(Codec::Protobuf, &mut bytes).unwrap();
                bytes.to_vec()
            }),
            answer: None,
            again: false,
        };
        (self.change)(&mut passing);
        let send = || {
            let message = Payload::encoded(Codec::Protobuf, passing.message.clone().into());
            self.to.unary(self.incoming(&cx, &passing), message)
        };
        let mut answer = send().await?;
        if passing.again {
            answer = send().await?;
        }
        let encoded = |payload: &Payload| {
            let mut bytes = BytesMut::new();
            payload.encode(Codec::Protobuf, &mut bytes).unwrap();
            bytes.to_vec()
        };
        passing.answer = Some((answer.metadata.get_bin(PROOF).cloned(), encoded(&answer.message)));
        (self.change)(&mut passing);
        let (signature, message) = passing.answer.unwrap();
        answer.metadata.remove(PROOF);
        if let Some(signature) = signature {
            answer.metadata.insert_bin(PROOF, signature).unwrap();
        }
        Ok(answer.map(|_| Payload::encoded(Codec::Protobuf, message.into())))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let passing = Passing {
            path: cx.path().to_owned(),
            proof: cx.metadata().get_bin(PROOF).cloned(),
            forwarded: false,
            message: Vec::new(),
            answer: None,
            again: false,
        };
        self.to.stream(self.incoming(&cx, &passing), messages).await
    }
}

/// A member, what it counts, and a caller that is one too, with this between them.
struct Pair {
    granting: Granting,
    client: RaftClient,
    unproved: RaftClient,
    handle: Handle,
    callee: Key,
}

const CALLER: [u8; 32] = [1; 32];

fn pair(change: fn(&mut Passing)) -> Pair {
    let (granting, handle) = (Granting::default(), Handle::new(Health::new()));
    handle.trust().begin(&[2; 32], Default::default());
    let (caller, callee) = (NodeKey::new(&CALLER), NodeKey::new(&[2; 32]).public());
    handle.trust().join([caller.public()]);
    let server = RaftServer::new(granting.clone()).into_channel();
    let wire = Channel::new(Wire { to: Channel::new(Checking::members_alone(server, &handle)), change });
    let client = RaftClient::new(Signing::channel(wire.clone(), Prover::new(caller), callee));
    Pair { granting, client, unproved: RaftClient::new(wire), handle, callee }
}

/// The code of a call over a wire that changes it so, and whether the member has executed it.
async fn changed(change: fn(&mut Passing)) -> (Code, bool) {
    let pair = pair(change);
    let request = v1::VoteRequest { to: 7, ..v1::VoteRequest::default() };
    let code = pair.client.vote(request).await.map_or_else(|status| status.code(), |_| Code::Ok);
    let executed = *pair.granting.0.lock() > 0;
    (code, executed)
}

#[tokio::test]
async fn a_members_call_arrives_and_its_answer_is_believed() {
    assert_eq!(changed(|_| {}).await, (Code::Ok, true));
}

#[tokio::test]
async fn a_call_that_is_changed_on_its_way_is_not_executed() {
    const REFUSED: (Code, bool) = (Code::Unauthenticated, false);
    assert_eq!(changed(|call| call.proof = None).await, REFUSED, "no proof");
    assert_eq!(changed(|call| call.message = vec![8, 8]).await, REFUSED, "another message");
    assert_eq!(changed(|call| call.forwarded = true).await, REFUSED, "marked as forwarded");
    assert_eq!(
        changed(|call| call.path = "/polywire.raft.v1.Raft/AppendEntries".to_owned()).await,
        REFUSED,
        "another method"
    );
    assert_eq!(changed(|call| call.proof = Some(Bytes::from_static(&[1]))).await, REFUSED, "no proof at all");
}

/// A proof of a vote that this sender makes at this time.
fn proof_of_vote(pair: &Pair, made_ms: u64, number: u64) -> Proof {
    let (caller, body) = (NodeKey::new(&CALLER), body_hash(Codec::Protobuf, &[]));
    let mut proof = Proof { sender: caller.public(), made_ms, session: 1, number, body, signature: [0; 64] };
    let cx = Context::incoming("/polywire.raft.v1.Raft/Vote", Arc::new(Caller::new("grpc"))).unwrap();
    proof.signature = caller.sign(&proof.text(&pair.callee, &cx));
    proof
}

/// What a vote without a body and with these bytes as its proof is answered.
async fn vote(pair: &Pair, proof: Bytes) -> Result<v1::VoteResponse, Status> {
    let call = pair.unproved.vote(v1::VoteRequest::default()).codec(Codec::Protobuf);
    call.metadata_bin(PROOF, proof).await
}

#[tokio::test]
async fn each_byte_of_a_proof_counts() {
    let pair = pair(|_| {});
    for place in 0..LENGTH {
        let mut proof = BytesMut::from(&proof_of_vote(&pair, now_ms(), place as u64).write()[..]);
        proof[place] ^= 1;
        let code = vote(&pair, proof.freeze()).await.unwrap_err().code();
        assert_eq!(code, Code::Unauthenticated, "{place}");
    }
    assert_eq!(*pair.granting.0.lock(), 0);
    vote(&pair, proof_of_vote(&pair, now_ms(), 0).write()).await.unwrap();
}

#[tokio::test]
async fn a_call_is_executed_once() {
    let (code, executed) = changed(|call| call.again = true).await;
    assert_eq!((code, executed), (Code::Unauthenticated, true));
}

#[tokio::test]
async fn an_answer_that_is_changed_on_its_way_is_no_answer() {
    const LOST: (Code, bool) = (Code::Unavailable, true);
    let forged = changed(|call| {
        if let Some((_, message)) = &mut call.answer {
            *message = vec![16, 1, 8, 1];
        }
    });
    assert_eq!(forged.await, LOST);
    let unsigned = changed(|call| {
        if let Some((signature, _)) = &mut call.answer {
            *signature = None;
        }
    });
    assert_eq!(unsigned.await, LOST);
}

#[tokio::test]
async fn a_proof_is_for_one_callee_and_by_a_member() {
    let pair = pair(|_| {});
    let other = NodeKey::new(&[3; 32]);
    let wire = Channel::new(Wire {
        to: Channel::new(Checking::members_alone(
            RaftServer::new(pair.granting.clone()).into_channel(),
            &pair.handle,
        )),
        change: |_| {},
    });
    let misdirected = Signing::channel(wire.clone(), Prover::new(NodeKey::new(&CALLER)), other.public());
    let status = RaftClient::new(misdirected).vote(v1::VoteRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let stranger = Signing::channel(wire, Prover::new(other), pair.callee);
    let status = RaftClient::new(stranger).vote(v1::VoteRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.is_not_processed());
    assert_eq!(*pair.granting.0.lock(), 0);
}

#[tokio::test]
async fn a_stream_is_proved_by_its_first_message() {
    let pair = pair(|_| {});
    let part = || v1::InstallSnapshotRequest { data: Bytes::from_static(b"x"), ..Default::default() };
    let parts = || Streaming::from_iter([part(), part(), part()]);
    pair.client.install_snapshot(parts()).await.unwrap();
    assert_eq!(*pair.granting.0.lock(), 1);
    let status = pair.unproved.install_snapshot(parts()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert_eq!(*pair.granting.0.lock(), 1);
}

#[tokio::test]
async fn an_old_proof_is_refused_and_its_age_is_said() {
    let pair = pair(|_| {});
    let status = vote(&pair, proof_of_vote(&pair, now_ms() - 45_000, 1).write()).await.unwrap_err();
    assert!(status.message().contains("made 45 s ago by this node's clock"), "{status}");
    // Whether one was used before the callee was started is not known.
    let before = pair.handle.trust().began_ms - 1;
    let status = vote(&pair, proof_of_vote(&pair, before, 1).write()).await.unwrap_err();
    assert!(status.message().contains("before this node's process began"), "{status}");
}
