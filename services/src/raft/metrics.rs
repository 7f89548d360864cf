//! What Raft says of itself, read.

use std::collections::BTreeSet;

use openraft::{RaftMetrics, error::Fatal};
use polywire::Status;

use super::{Member, store::DiskFailure};

/// What Raft says of itself.
pub type Metrics = RaftMetrics<u64, Member>;

/// How many entries a member may be behind before it counts as lagging.
pub(super) const LAG: u64 = 10_000;

/// Whether this node takes itself for the leader, and so calls all others all the time.
pub(super) fn leads(metrics: &Metrics) -> bool {
    metrics.replication.is_some()
}

/// The members that vote.
pub(super) fn voters(metrics: &Metrics) -> BTreeSet<u64> {
    metrics.membership_config.membership().voter_ids().collect()
}

/// What people call this member.
pub(super) fn name(metrics: &Metrics, id: u64) -> String {
    let known = metrics.membership_config.membership().get_node(&id);
    known.map(|member| member.name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
}

/// Why Raft can do nothing more here, for a call of which nothing was processed; `None` while it runs, and where it
/// was told to stop.
pub(super) fn failure(metrics: &Metrics, disk: &DiskFailure) -> Option<Status> {
    match &metrics.running_state {
        Ok(()) | Err(Fatal::Stopped) => None,
        Err(error) => {
            let why = disk.explain(error);
            Some(Status::unavailable(format!("this node's Raft has failed: {why}")).not_processed())
        }
    }
}
