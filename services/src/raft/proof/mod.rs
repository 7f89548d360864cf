//! Short-lived proofs of who sends a call, for connections that prove nothing, such as plaintext gRPC.
//!
//! A call between members carries a proof in its metadata: the key of its sender, when and as which call of the sender it
//! was made, the hash of its first message, and a signature over these, the key of the callee and the method. It proves
//! the sender of this call to this callee, once. The answer carries the callee's signature. `proto/PROOF.md` has the format.

mod check;
mod replay;
mod sign;

use bytes::{BufMut as _, Bytes, BytesMut};
use polywire::{Codec, Context};
use sha2::{Digest as _, Sha256};

pub(super) use self::{
    check::{Checking, proven, sender, verify},
    replay::Replays,
    sign::{Prover, Signing, now_ms},
};
use super::{
    forward::FORWARDED,
    key::{Key, SignedText},
};

/// The metadata key of a proof, and of the signature of an answer.
pub(super) const PROOF: &str = "polywire-proof-bin";

/// The first byte of a proof. A callee refuses others.
const VERSION: u8 = 1;

const LENGTH: usize = 1 + 32 + 8 + 8 + 8 + 32 + 64;

/// What a sender has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// The sender's key.
    pub(super) sender: Key,
    /// When it was made, in milliseconds since 1970 by the sender's clock.
    made_ms: u64,
    /// The run of the sender's process, drawn at random, and the number of the proof in it.
    session: u64,
    number: u64,
    /// The [`body_hash`] of the first message.
    body: [u8; 32],
    signature: [u8; 64],
}

impl Proof {
    fn write(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(LENGTH);
        bytes.put_u8(VERSION);
        bytes.put_slice(&self.sender);
        bytes.put_u64(self.made_ms);
        bytes.put_u64(self.session);
        bytes.put_u64(self.number);
        bytes.put_slice(&self.body);
        bytes.put_slice(&self.signature);
        bytes.freeze()
    }

    /// Reads a proof; `None` if it is malformed or of another version.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION || bytes.len() != LENGTH {
            return None;
        }
        let (sender, rest) = rest.split_first_chunk()?;
        let (made_ms, rest) = rest.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (body, rest) = rest.split_first_chunk()?;
        Some(Self {
            sender: *sender,
            made_ms: u64::from_be_bytes(*made_ms),
            session: u64::from_be_bytes(*session),
            number: u64::from_be_bytes(*number),
            body: *body,
            signature: rest.try_into().ok()?,
        })
    }

    /// What is signed for this call to the callee. Whether the call is forwarded changes what it may do, so it is part of it.
    fn text(&self, callee: &Key, cx: &Context) -> SignedText {
        SignedText::new("polywire proof 1")
            .field(callee)
            .field(&self.sender)
            .number(self.made_ms)
            .number(self.session)
            .number(self.number)
            .field(&self.body)
            .field(cx.metadata().get(FORWARDED).unwrap_or_default().as_bytes())
            .field(cx.path().as_bytes())
    }
}

impl Proof {
    /// What the callee signs for the first message of its answer.
    fn answer_text(&self, callee: &Key, path: &str, body: &[u8; 32]) -> SignedText {
        SignedText::new("polywire answer 1")
            .field(callee)
            .field(&self.sender)
            .number(self.session)
            .number(self.number)
            .field(path.as_bytes())
            .field(body)
    }
}

/// The hash of a message in this codec: the same bytes mean something else in another.
fn body_hash(codec: Codec, message: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(codec.name().as_bytes());
    hash.update([0]);
    hash.update(message);
    hash.finalize().into()
}

/// The hash of a call without a message.
fn empty_hash() -> [u8; 32] {
    Sha256::digest([]).into()
}

#[cfg(test)]
mod tests;
