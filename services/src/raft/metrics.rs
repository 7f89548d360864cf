//! What Raft says of itself, read.

use std::collections::BTreeSet;

use openraft::{Membership, RaftMetrics, error::Fatal};
use polywire::Status;

use super::{Member, store::DiskFailure};

/// What Raft says of itself.
pub type Metrics = RaftMetrics<u64, Member>;

/// The entry of the log that names the members: its term and its index.
pub(super) type MembershipId = (u64, u64);

/// That of a log which names none.
pub(super) const NO_MEMBERSHIP: MembershipId = (0, 0);

/// The entry that names the members which this node knows.
pub(super) fn membership_id(metrics: &Metrics) -> MembershipId {
    metrics.membership_config.log_id().map_or(NO_MEMBERSHIP, |id| (id.leader_id.term, id.index))
}

/// How many entries a member may be behind before it counts as lagging.
pub(super) const LAG: u64 = 10_000;

/// Whether this node takes itself for the leader, and so calls all others all the time.
pub(super) fn leads(metrics: &Metrics) -> bool {
    metrics.replication.is_some()
}

/// The members with a vote in any configuration that is in force. While a change of the members is under way, there are
/// two, and a majority of each is needed: see [`full_voters`].
pub(super) fn voters(metrics: &Metrics) -> BTreeSet<u64> {
    metrics.membership_config.membership().voter_ids().collect()
}

/// The members with a vote in each of these configurations: every majority that is needed may count on them.
pub(super) fn full_voters<'a>(
    memberships: impl IntoIterator<Item = &'a Membership<u64, Member>>,
) -> BTreeSet<u64> {
    let configurations = memberships.into_iter().flat_map(Membership::get_joint_config);
    let common = configurations.cloned().reduce(|common, next| &common & &next);
    common.unwrap_or_default()
}

/// Whether a change of the members is half complete: majorities of before and of after are needed.
pub(super) fn is_joint(metrics: &Metrics) -> bool {
    metrics.membership_config.membership().get_joint_config().len() > 1
}

/// Whether the cluster has agreed on the members that this node knows, and no change of them is half complete.
pub(super) fn is_settled(metrics: &Metrics) -> bool {
    !is_joint(metrics) && *metrics.membership_config.log_id() <= metrics.last_applied
}

/// Why there may be no leader although most members are there: a change of the members is half complete.
pub(super) fn joint_problem(metrics: &Metrics) -> Option<String> {
    let names = |ids: &BTreeSet<u64>| Vec::from_iter(ids.iter().map(|id| name(metrics, *id))).join(" ");
    let majorities = metrics.membership_config.membership().get_joint_config().iter().map(names);
    is_joint(metrics).then(|| {
        format!(
            "a change of the members is not complete: a majority of each of these is needed: {}",
            Vec::from_iter(majorities).join("; ")
        )
    })
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

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, LogId, StoredMembership};

    use super::*;

    fn membership(configurations: &[&[u64]]) -> Membership<u64, Member> {
        let sets: Vec<BTreeSet<u64>> =
            configurations.iter().map(|ids| ids.iter().copied().collect()).collect();
        let named = |id: u64| (id, Member { name: format!("node-{id}"), ..Member::default() });
        let nodes = sets.iter().flatten().map(|id| named(*id)).collect::<std::collections::BTreeMap<_, _>>();
        Membership::new(sets, nodes)
    }

    fn metrics(configurations: &[&[u64]], applied: u64) -> Metrics {
        let at = |index| LogId::new(CommittedLeaderId::new(1, 1), index);
        let stored = StoredMembership::new(Some(at(5)), membership(configurations));
        Metrics {
            membership_config: std::sync::Arc::new(stored),
            last_applied: Some(at(applied)),
            ..Metrics::new_initial(1)
        }
    }

    #[test]
    fn a_member_counts_once_every_majority_may_have_it() {
        let counted = |memberships: &[Membership<u64, Member>]| Vec::from_iter(full_voters(memberships));
        assert_eq!(counted(&[membership(&[&[1, 2, 3]])]), [1, 2, 3]);
        assert_eq!(counted(&[membership(&[&[1, 2], &[1, 2, 3]])]), [1, 2], "one comes");
        assert_eq!(counted(&[membership(&[&[1, 2, 3], &[1, 2]])]), [1, 2], "one goes");
        let agreed = membership(&[&[1, 2], &[1, 2, 3]]);
        assert_eq!(counted(&[agreed, membership(&[&[1, 2, 3]])]), [1, 2], "not agreed on yet");
        assert_eq!(counted(&[Membership::default(), membership(&[&[1]])]), [1], "the first");
        assert!(counted(&[]).is_empty());
    }

    #[test]
    fn the_members_are_settled_once_the_cluster_has_agreed_on_them_alone() {
        assert!(is_settled(&metrics(&[&[1, 2, 3]], 5)));
        assert!(!is_settled(&metrics(&[&[1, 2, 3]], 4)));
        assert!(!is_settled(&metrics(&[&[1, 2], &[1, 2, 3]], 5)));
        assert_eq!(joint_problem(&metrics(&[&[1, 2, 3]], 4)), None);
        assert_eq!(
            joint_problem(&metrics(&[&[1, 2], &[1, 2, 3]], 5)).unwrap(),
            "a change of the members is not complete: a majority of each of these is needed: node-1 node-2; node-1 \
             node-2 node-3"
        );
    }
}
