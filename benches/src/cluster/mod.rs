//! A Raft cluster of three members in one process, over each network that its consensus can have. All of them write
//! into the same kind of store, so that what they differ in is the network.

mod contest;
mod in_process;
mod nodes;

use std::any::Any;

use bytes::Bytes;
use openraft::Raft;
use polywire_services::raft::{Command, Outcome, TypeConfig};

pub use self::contest::{Arguments, Report, Row, hold};
use crate::contestant::Result;

/// How many members a cluster has.
const MEMBERS: usize = 3;

/// A cluster, and the member that leads it.
pub struct Cluster {
    name: &'static str,
    leader: Raft<TypeConfig>,
    /// What has to be there while it is.
    _members: Box<dyn Any + Send + Sync>,
}

impl Cluster {
    /// Puts a value and returns once a majority has it on disk and the leader has applied it.
    ///
    /// # Errors
    /// When it was not written.
    async fn put(&self, key: String, value: Bytes) -> Result<()> {
        let command = Command { key, value: Some(value), expected_revision: None, request_id: None };
        match self.leader.client_write(command).await?.data {
            Outcome::Written { .. } => Ok(()),
            other => Err(format!("{}: a put came to {other:?}", self.name).into()),
        }
    }
}
