use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What the log holds for the state machine: one write of the key-value store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What is written to.
    pub key: String,
    /// The value to put there; `None` takes the key out.
    pub value: Option<Bytes>,
    /// The revision that the key must have for the write to happen; 0 where it must not be there.
    pub expected_revision: Option<u64>,
    /// Says that two writes are the same one, sent again: the second is answered as the first was.
    pub request_id: Option<String>,
}

/// What has become of an entry of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The entry was none of the key-value store's.
    #[default]
    None,
    /// It was written.
    Written {
        /// The revision of the store since then.
        revision: u64,
        /// Whether the key had been there.
        existed: bool,
    },
    /// Nothing was written: the key's revision is not the one that was expected.
    Conflict {
        /// The revision that it has; 0 where there is no such key.
        revision: u64,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.value.is_some() { "put" } else { "delete" };
        write!(f, "{verb} {:?}", self.key)
    }
}
