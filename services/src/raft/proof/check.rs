use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use polywire::{
    Caller, Channel, Code, Codec, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
};

use super::{PROOF, Proof, body_hash, empty_hash, now_ms, replay::Refused};
use crate::raft::{
    handle::Handle,
    key::{Key, shown},
    trust::Trust,
};

/// How far the time of a proof may be from the callee's: how long a call may take to arrive, and how far two clocks may be
/// apart. Clocks that are set by NTP differ by less than a second (RFC 5905, section 7).
const VALID: Duration = Duration::from_secs(30);

/// The key that a caller has proved by a proof, for the handler.
#[derive(Clone, Copy, Debug)]
struct Proven(Key);

/// The key that the caller has proved, by its connection or by a proof.
pub(in crate::raft) fn proven(cx: &Context) -> Option<Key> {
    let by_proof = cx.extensions().get().map(|Proven(key)| *key);
    by_proof.or_else(|| found(cx).next())
}

/// The keys that the transport and the inbound edge have found.
fn found(cx: &Context) -> impl Iterator<Item = Key> {
    cx.caller().into_iter().flat_map(Caller::identities).filter_map(|identity| identity.key().copied())
}

/// What the metadata of this call prove: the sender's key. `None` without a proof. The caller must compare the body.
///
/// # Errors
/// `Unauthenticated`, not processed, if the proof is malformed, not of this call to this node, too old or used.
pub(in crate::raft) fn verify(handle: &Handle, cx: &Context) -> Option<Result<Key, Status>> {
    let proof = read(cx)?;
    Some(proof.and_then(|proof| accept(handle, cx, &proof)))
}

/// The sender that the proof of this call names, for a call whose proof was verified before.
pub(in crate::raft) fn sender(cx: &Context) -> Option<Result<Key, Status>> {
    Some(read(cx)?.map(|proof| proof.sender))
}

fn read(cx: &Context) -> Option<Result<Proof, Status>> {
    let bytes = cx.metadata().get_bin(PROOF)?;
    Some(Proof::read(bytes).ok_or_else(|| refused("malformed, or of an unknown version".to_owned())))
}

fn accept(handle: &Handle, cx: &Context, proof: &Proof) -> Result<Key, Status> {
    let trust = handle.trust();
    let prover =
        trust.prover().ok_or_else(|| Status::unavailable("this node is not bound yet").not_processed())?;
    in_time(trust, proof.made_ms, now_ms())?;
    if !proof.text(&prover.key().public(), cx).is_signed_by(&proof.sender, &proof.signature) {
        return Err(refused("not signed by its sender for this node and this method".to_owned()));
    }
    let is_known = handle.is_member(&proof.sender) || trust.is_peer(&proof.sender);
    let replays = if is_known { &trust.of_known } else { &trust.of_others };
    let oldest = now_ms().saturating_sub(millis(VALID));
    let taken = replays.take(proof.sender, proof.session, proof.number, proof.made_ms, oldest);
    taken.map_err(|error| match error {
        Refused::Seen => refused("used already".to_owned()),
        Refused::Full => Status::resource_exhausted("too many callers with proofs").not_processed(),
    })?;
    Ok(proof.sender)
}

fn in_time(trust: &Trust, made_ms: u64, now_ms: u64) -> Result<(), Status> {
    if made_ms.abs_diff(now_ms) > millis(VALID) {
        let (by, way) = (made_ms.abs_diff(now_ms) / 1000, if made_ms < now_ms { "ago" } else { "ahead" });
        return Err(refused(format!(
            "made {by} s {way} by this node's clock; expected at most {} s: do the clocks differ?",
            VALID.as_secs()
        )));
    }
    // Whether an older one was used already is not known after a restart.
    match made_ms < trust.began_ms {
        true => Err(refused("made before this node's process began".to_owned())),
        false => Ok(()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn refused(problem: String) -> Status {
    Status::new(Code::Unauthenticated, format!("invalid proof of the caller: {problem}")).not_processed()
}

/// A service that members call. A call with a proof must have the body that the proof is of.
#[derive(Debug)]
pub(in crate::raft) struct Checking {
    inner: Channel,
    handle: Handle,
    /// Whether only members may call.
    members_alone: bool,
}

impl Checking {
    /// A service for every caller that the node's access rules allow.
    pub(in crate::raft) fn around(inner: Channel, handle: &Handle) -> Self {
        Self { inner, handle: handle.clone(), members_alone: false }
    }

    /// A service for members alone, whatever the node's access rules say.
    pub(in crate::raft) fn members_alone(inner: Channel, handle: &Handle) -> Self {
        Self { members_alone: true, ..Self::around(inner, handle) }
    }

    /// Finds out who calls. Returns the proof, with which the first message must agree; `None` without a proof.
    fn identify(&self, cx: &mut Context) -> Result<Option<Proof>, Status> {
        let proof = read(cx).transpose()?;
        if let Some(proof) = &proof {
            // The inbound edge has verified the proof, or the connection proves the same key.
            if !found(cx).any(|key| key == proof.sender) {
                accept(&self.handle, cx, proof)?;
            }
            cx.extensions_mut().insert(Proven(proof.sender));
        }
        if self.members_alone {
            self.require_member(cx)?;
        }
        Ok(proof)
    }

    /// Signs the first message of an answer.
    fn sign(
        &self,
        proof: &Proof,
        path: &str,
        codec: Codec,
        message: &Payload,
    ) -> Result<(Payload, Bytes), Status> {
        let prover = self.handle.trust().prover().ok_or_else(|| Status::internal("this node has no key"))?;
        let mut encoded = BytesMut::new();
        message.encode(codec, &mut encoded)?;
        let encoded = encoded.freeze();
        let text = proof.answer_text(&prover.key().public(), path, &body_hash(codec, &encoded));
        let signature = Bytes::copy_from_slice(&prover.key().sign(&text));
        Ok((Payload::encoded(codec, encoded).with_uncompressed(message.is_uncompressed()), signature))
    }

    fn require_member(&self, cx: &Context) -> Result<(), Status> {
        match proven(cx) {
            // A call within the process.
            None if cx.caller().is_none() => Ok(()),
            None => Err(Status::unauthenticated(
                "this method is for members of the cluster; expected a proof of a member's key, found none",
            )
            .not_processed()),
            Some(key) if self.handle.is_member(&key) => Ok(()),
            // The leader reports it: the members' lists of members differ.
            Some(key) => Err(Status::permission_denied(format!(
                "this method is for members of the cluster; key:{} is not one. If this node was a member of its cluster, \
                 it has lost its data: remove it there, and let it join again",
                shown(&key)
            ))
            .not_processed()),
        }
    }
}

/// Compares the first message with the hash in the proof. Returns its codec, which the answer has too.
fn compare(proof: &Proof, message: &Payload) -> Result<Codec, Status> {
    let hash = |codec| Some((codec, body_hash(codec, message.as_encoded(codec)?)));
    match message.codec().and_then(hash) {
        Some((codec, hash)) if hash == proof.body => Ok(codec),
        _ => Err(refused("of another message than the call's".to_owned())),
    }
}

fn unsendable(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Service for Checking {
    async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let Some(proof) = self.identify(&mut cx)? else { return self.inner.unary(cx, message).await };
        let (codec, path) = (compare(&proof, &message)?, cx.path().to_owned());
        let mut answer = self.inner.unary(cx, message).await?;
        let (message, signature) = self.sign(&proof, &path, codec, &answer.message)?;
        answer.metadata.insert_bin(PROOF, signature).map_err(unsendable)?;
        Ok(answer.map(|_| message))
    }

    async fn stream(
        &self,
        mut cx: Context,
        mut messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let Some(proof) = self.identify(&mut cx)? else { return self.inner.stream(cx, messages).await };
        let path = cx.path().to_owned();
        let (codec, first) = match messages.next().await.transpose()? {
            Some(first) => (compare(&proof, &first)?, Some(first)),
            None if proof.body == empty_hash() => (Codec::Protobuf, None),
            None => return Err(refused("of a message, and the call has none".to_owned())),
        };
        let messages = Streaming::new(stream::iter(first.map(Ok)).chain(messages));
        let mut answer = self.inner.stream(cx, messages).await?;
        let Some(first) = answer.message.next().await.transpose()? else { return Ok(answer) };
        let (first, signature) = self.sign(&proof, &path, codec, &first)?;
        answer.metadata.insert_bin(PROOF, signature).map_err(unsendable)?;
        Ok(answer.map(|rest| Streaming::new(stream::iter([Ok(first)]).chain(rest))))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}
