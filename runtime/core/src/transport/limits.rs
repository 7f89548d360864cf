use std::time::Duration;

use crate::{Metadata, Status};

/// What one call may cost, the same in both directions and at both ends. Every limit is finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in bytes. Default 4 MiB, gRPC's own. A larger one is `ResourceExhausted`; a
    /// method may allow less.
    pub max_message_bytes: usize,
    /// The most that the metadata of one direction may weigh, in bytes, counted as HTTP/2 counts a
    /// header list. Default 16 KiB, double of what gRPC advises every peer to accept. Answers over gRPC have no
    /// more than that 8 KiB, their status included, unless the caller is one of ours that takes more.
    pub max_metadata_bytes: usize,
    /// How long one message may take to arrive once it has begun, and a call's head once its stream is
    /// open. Default 20 s. Between messages a stream may rest for as long as its deadline allows.
    pub message_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_metadata_bytes: 16 << 10,
            message_timeout: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Whether the metadata of one direction is within the limit.
    ///
    /// # Errors
    /// `ResourceExhausted` when it is not.
    pub fn check_metadata(&self, metadata: &Metadata) -> Result<(), Status> {
        check_metadata_weight(metadata.weight(), self.max_metadata_bytes)
    }
}

/// Whether metadata of this weight are within this limit.
pub(crate) fn check_metadata_weight(weight: usize, limit: usize) -> Result<(), Status> {
    if weight <= limit {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!("metadata of {weight} bytes is over the limit of {limit} bytes")))
}
