//! What a membership must be for Raft to go on with it.

use openraft::Membership;

use super::{bounds::MEMBERS, refusal::Refusal};
use crate::{
    member::id,
    raft::{
        Member,
        member_wire::{LONGEST, TARGETS},
    },
};

/// A joint membership has two configurations. Source: Ongaro and Ousterhout, section 6.
const CONFIGURATIONS: usize = 2;

/// # Errors
/// Where it has no voters, a voter is no member, or it is too large.
pub(super) fn check(membership: &Membership<u64, Member>) -> Result<(), Refusal> {
    let wrong = |problem: String| Err(Refusal::malformed(format!("invalid membership: {problem}")));
    let configurations = membership.get_joint_config();
    if configurations.is_empty() || configurations.len() > CONFIGURATIONS {
        return wrong(format!("it has {} configurations; expected 1 or 2", configurations.len()));
    }
    if configurations.iter().any(|voters| voters.is_empty()) {
        return wrong("it has no voters".to_owned());
    }
    if let Some(voter) = membership.voter_ids().find(|voter| membership.get_node(voter).is_none()) {
        return wrong(format!("its voter {voter} is no member"));
    }
    let count = membership.nodes().count();
    if count > MEMBERS {
        return wrong(format!("it has {count} members; expected at most {MEMBERS}"));
    }
    for (node, member) in membership.nodes() {
        if id(&member.endpoint_id) != Some(*node) {
            return wrong(format!("the id {node} is not that of its member's key"));
        }
        let mut texts = member.targets.iter().chain([&member.name, &member.endpoint_id]);
        if member.targets.len() > TARGETS || texts.any(|text| text.len() > LONGEST) {
            return wrong(format!(
                "member {node} is too long; expected at most {TARGETS} targets, and texts of at most {LONGEST} bytes"
            ));
        }
    }
    Ok(())
}
