//! Raft's own types, as they travel.

use openraft::{CommittedLeaderId, LeaderId};
use polywire::Status;
use polywire_proto::raft::v1;
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn log_id(id: openraft::LogId<u64>) -> v1::LogId {
    v1::LogId { term: id.leader_id.term, leader_id: id.leader_id.node_id, index: id.index }
}

pub(super) fn read_log_id(id: v1::LogId) -> openraft::LogId<u64> {
    openraft::LogId::new(CommittedLeaderId::new(id.term, id.leader_id), id.index)
}

pub(super) fn vote(vote: openraft::Vote<u64>) -> v1::Vote {
    v1::Vote { term: vote.leader_id.term, node_id: vote.leader_id.node_id, committed: vote.committed }
}

/// # Errors
/// `InvalidArgument` where there is none.
pub(super) fn read_vote(vote: Option<v1::Vote>) -> Result<openraft::Vote<u64>, Status> {
    let vote = vote.ok_or_else(|| Status::invalid_argument("expected a vote, found none"))?;
    Ok(openraft::Vote { leader_id: LeaderId::new(vote.term, vote.node_id), committed: vote.committed })
}

/// # Errors
/// `Internal` where it cannot be encoded.
pub(super) fn pack<T: Serialize>(value: &T) -> Result<bytes::Bytes, Status> {
    let packed = rmp_serde::to_vec_named(value);
    Ok(packed.map_err(|error| Status::internal(error.to_string()))?.into())
}

/// # Errors
/// `InvalidArgument` where it is not what was expected.
pub(super) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, Status> {
    rmp_serde::from_slice(packed)
        .map_err(|error| Status::invalid_argument(format!("a record cannot be read: {error}")))
}
