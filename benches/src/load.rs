//! What a contestant has to bear.

use std::fmt;

use bytes::Bytes;

use crate::pattern;

/// How large a message is, and how many calls are under way at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The message's size in bytes, each way.
    pub size: usize,
    /// How many callers there are; each waits for its answer before it calls again.
    pub in_flight: usize,
}

/// How many different messages each caller takes turns with.
const VARIETY: usize = 4;

impl Load {
    /// The messages of one caller, in the order of its calls. None is like another caller's, so that an
    /// answer to somebody else's call does not pass for one's own.
    pub fn messages(self, caller: usize) -> impl Iterator<Item = Bytes> + Send {
        let seed = |variant| (caller * VARIETY + variant) as u64;
        let messages: Vec<_> =
            (0..VARIETY).map(|variant| pattern::message(seed(variant), self.size)).collect();
        (0..VARIETY).cycle().map(move |variant| messages[variant].clone())
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            size if size >= 1 << 20 => write!(f, "{} MiB", size >> 20)?,
            size if size >= 1 << 10 => write!(f, "{} KiB", size >> 10)?,
            size => write!(f, "{size} B")?,
        }
        write!(f, " × {}", self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_callers_send_the_same_message() {
        let load = Load { size: 64, in_flight: 64 };
        let messages: Vec<_> =
            (0..load.in_flight).flat_map(|caller| load.messages(caller).take(VARIETY)).collect();
        assert!(messages.iter().all(|message| message.len() == 64));
        assert_eq!(messages.iter().collect::<HashSet<_>>().len(), 64 * VARIETY);
    }
}
