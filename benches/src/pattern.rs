//! What is sent, and how an answer is known to be the right one.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::contestant::Result;

/// A message of this size in bytes. No two seeds give the same, from nine bytes on.
pub fn message(seed: u64, size: usize) -> Bytes {
    // A step that is odd visits all values of a word, so no two seeds begin alike.
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = BytesMut::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&word.to_le_bytes());
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    bytes.truncate(size);
    bytes.freeze()
}

/// What a server is asked to stream.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Script {
    /// Tells the messages of one stream from those of another.
    #[prost(uint64, tag = "1")]
    pub seed: u64,
    /// How many messages there are.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// The size of each in bytes, at least [`Script::INDEX`].
    #[prost(uint64, tag = "3")]
    pub size: u64,
}

impl Script {
    /// How many bytes of a message tell its place in the stream.
    pub const INDEX: usize = size_of::<u64>();

    /// The messages, in their order: each begins with its place, the rest is the seed's.
    pub fn messages(self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let block = message(self.seed, self.size as usize);
        (0..self.count).map(move |index| {
            let mut message = BytesMut::from(&block[..]);
            message[..Self::INDEX].copy_from_slice(&index.to_le_bytes());
            message.freeze()
        })
    }

    /// What the receiver holds against each message.
    pub fn check(self) -> Check {
        Check { block: message(self.seed, self.size as usize), count: self.count, next: 0 }
    }
}

/// Follows a stream and knows what has to come next.
#[derive(Clone, Debug)]
pub struct Check {
    block: Bytes,
    count: u64,
    next: u64,
}

impl Check {
    /// Takes the next message.
    ///
    /// # Errors
    /// When it is not the one that had to come.
    pub fn message(&mut self, message: &[u8]) -> Result<()> {
        let (index, rest) = message.split_at_checked(Script::INDEX).unwrap_or((&[], message));
        if index != self.next.to_le_bytes() || rest != &self.block[Script::INDEX..] {
            return Err(
                format!("message {} of a stream came altered, or in another's place", self.next).into()
            );
        }
        self.next += 1;
        Ok(())
    }

    /// The stream has ended: how many messages it had.
    ///
    /// # Errors
    /// When there should have been more or fewer.
    pub fn end(self) -> Result<u64> {
        if self.next == self.count {
            return Ok(self.count);
        }
        Err(format!("a stream of {} messages had {}", self.count, self.next).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: Script = Script { seed: 7, count: 3, size: 64 };

    fn check(messages: impl IntoIterator<Item = Bytes>) -> Result<u64> {
        let mut check = SCRIPT.check();
        messages.into_iter().try_for_each(|message| check.message(&message))?;
        check.end()
    }

    #[test]
    fn a_stream_as_it_was_asked_for_passes() {
        assert_eq!(check(SCRIPT.messages()).unwrap(), 3);
        assert!(SCRIPT.messages().all(|message| message.len() == 64));
    }

    #[test]
    fn a_stream_that_is_short_long_shuffled_or_anothers_does_not_pass() {
        let messages: Vec<_> = SCRIPT.messages().collect();
        assert!(check(SCRIPT.messages().take(2)).is_err(), "short");
        assert!(check(messages.iter().chain(&messages).cloned()).is_err(), "long");
        assert!(check(messages.iter().rev().cloned()).is_err(), "shuffled");
        assert!(check(Script { seed: 8, ..SCRIPT }.messages()).is_err(), "another's");
        assert!(check(messages.iter().map(|message| message.slice(..63))).is_err(), "cut");
        assert!(check(messages.iter().map(|_| Bytes::new())).is_err(), "empty");
    }
}
