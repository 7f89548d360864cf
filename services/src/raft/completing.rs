//! The leader completes what another leader, or a call that was given up, has left half done of a change of the members.
//!
//! A change has two steps: majorities of before and of after are needed behind the first one, and a majority of after alone
//! behind the second. The caller that makes the first step makes the second as well, if it is still there. Without that
//! step, the cluster needs for ever what it needed before the change.

use std::{collections::BTreeSet, time::Duration};

use openraft::{ChangeMembers, LogId};
use tokio::time::{Instant, timeout};

use super::{
    follower::Follower,
    handle::Handle,
    metrics::{Metrics, is_joint, leads},
};

/// How long the caller may take for the second step, which takes it one round trip.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the second step may take before the leader looks again.
const STEP: Duration = Duration::from_secs(5);

/// Completes changes at the leader, until the node ends.
pub(super) async fn complete_changes(handle: Handle) {
    let mut follower = Follower::new(&handle);
    let mut pending: Option<(LogId<u64>, Instant)> = None;
    while let Some(running) = follower.next().await {
        let half = half_done(&running.raft.metrics().borrow());
        pending = half.map(|entry| match pending {
            Some((known, since)) if known == entry => (known, since),
            _ => (entry, Instant::now()),
        });
        if pending.is_none_or(|(_, since)| since.elapsed() < PATIENCE) {
            continue;
        }
        let raft = running.raft.clone();
        // Its files must not be kept from the next one.
        drop(running);
        // The configuration of after, which becomes the only one.
        let after = ChangeMembers::AddVoterIds(BTreeSet::new());
        match timeout(STEP, raft.change_membership(after, false)).await {
            Ok(Ok(_)) => tracing::info!("a change of the members that was left half done is complete"),
            Ok(Err(error)) => tracing::debug!(%error, "a change of the members cannot be completed yet"),
            Err(_) => tracing::debug!("a change of the members waits for a majority"),
        }
        pending = None;
    }
}

/// The entry of the first step, where the cluster has agreed on it and this node leads.
fn half_done(metrics: &Metrics) -> Option<LogId<u64>> {
    let entry = *metrics.membership_config.log_id();
    let is_half = leads(metrics) && is_joint(metrics) && entry <= metrics.last_applied;
    entry.filter(|_| is_half)
}
