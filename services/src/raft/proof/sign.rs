use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use polywire::{Channel, Codec, Context, Metadata, Payload, Response, Service, Status, Streaming};

use super::{PROOF, Proof, body_hash, empty_hash};
use crate::raft::key::{Key, NodeKey, shown};

/// What makes this node's proofs. Clones share the numbering.
#[derive(Clone, Debug)]
pub(in crate::raft) struct Prover(Arc<Numbered>);

#[derive(Debug)]
struct Numbered {
    key: NodeKey,
    session: u64,
    next: AtomicU64,
}

impl Prover {
    pub(in crate::raft) fn new(key: NodeKey) -> Self {
        // Seeded by the operating system.
        let session = RandomState::new().hash_one(std::process::id());
        Self(Arc::new(Numbered { key, session, next: AtomicU64::new(0) }))
    }

    pub(in crate::raft) fn key(&self) -> &NodeKey {
        &self.0.key
    }

    /// Adds a proof of this call to its metadata, and returns it.
    fn prove(&self, callee: &Key, cx: &mut Context, body: [u8; 32]) -> Result<Proof, Status> {
        let mut proof = Proof {
            sender: self.0.key.public(),
            made_ms: now_ms(),
            session: self.0.session,
            number: self.0.next.fetch_add(1, Ordering::Relaxed),
            body,
            signature: [0; 64],
        };
        proof.signature = self.0.key.sign(&proof.text(callee, cx));
        let added = cx.metadata_mut().insert_bin(PROOF, proof.write());
        added.map_err(|error| Status::internal(error.to_string()).not_processed())?;
        Ok(proof)
    }
}

/// The time in milliseconds since 1970.
pub(in crate::raft) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A channel to the node with this key, whose calls carry proofs. An answer must be signed by that node.
#[derive(Debug)]
pub(in crate::raft) struct Signing {
    inner: Channel,
    prover: Prover,
    callee: Key,
}

/// Signed messages have one encoding over every transport: the transport is chosen after the signature.
const CODEC: Codec = Codec::Protobuf;

impl Signing {
    pub(in crate::raft) fn channel(inner: Channel, prover: Prover, callee: Key) -> Channel {
        Channel::new(Self { inner, prover, callee })
    }

    fn sign(&self, cx: &mut Context, message: &Payload) -> Result<(Proof, Payload), Status> {
        let mut encoded = BytesMut::new();
        message.encode(CODEC, &mut encoded)?;
        let encoded = encoded.freeze();
        let proof = self.prover.prove(&self.callee, cx, body_hash(CODEC, &encoded))?;
        Ok((proof, Payload::encoded(CODEC, encoded).with_uncompressed(message.is_uncompressed())))
    }

    /// Checks that the callee has signed this answer to the call with this proof.
    fn check(&self, proof: &Proof, path: &str, head: &Metadata, message: &Payload) -> Result<(), Status> {
        let body = message.codec().and_then(|codec| Some(body_hash(codec, message.as_encoded(codec)?)));
        let text = body.map(|body| proof.answer_text(&self.callee, path, &body));
        let signature = head.get_bin(PROOF);
        match (text, signature) {
            (Some(text), Some(signature)) if text.is_signed_by(&self.callee, signature) => Ok(()),
            _ => Err(Status::unavailable(format!(
                "the answer to {path} is not signed by the key {} that was called",
                shown(&self.callee)
            ))),
        }
    }
}

impl Service for Signing {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut cx = cx.with_codec(CODEC);
        let path = cx.path().to_owned();
        let (proof, message) = self.sign(&mut cx, &message)?;
        let answer = self.inner.unary(cx, message).await?;
        self.check(&proof, &path, &answer.metadata, &answer.message)?;
        Ok(answer)
    }

    async fn stream(
        &self,
        cx: Context,
        mut messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let mut cx = cx.with_codec(CODEC);
        let path = cx.path().to_owned();
        let (proof, first) = match messages.next().await.transpose()? {
            Some(first) => {
                let (proof, first) = self.sign(&mut cx, &first)?;
                (proof, Some(first))
            }
            None => (self.prover.prove(&self.callee, &mut cx, empty_hash())?, None),
        };
        let messages = Streaming::new(stream::iter(first.map(Ok)).chain(messages));
        let mut answer = self.inner.stream(cx, messages).await?;
        let Some(first) = answer.message.next().await.transpose()? else { return Ok(answer) };
        self.check(&proof, &path, &answer.metadata, &first)?;
        Ok(answer.map(|rest| Streaming::new(stream::iter([Ok(first)]).chain(rest))))
    }
}
