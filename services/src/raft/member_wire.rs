//! Conversions between a member and its message.

use polywire::{Status, Truncated};
use polywire_proto::cluster::v1;

use crate::member::{Member, id};

pub(super) fn member(id: u64, member: &Member, voter: bool) -> v1::Member {
    v1::Member {
        id,
        name: member.name.clone(),
        endpoint_id: member.endpoint_id.clone(),
        targets: member.targets.clone(),
        voter,
        incarnation: member.incarnation,
        conflict: String::new(),
        signature: bytes::Bytes::new(),
    }
}

/// How long a name or a target may be, and how many targets a member may have.
pub(super) const LONGEST: usize = 4 << 10;
pub(super) const TARGETS: usize = 32;

pub(super) fn read_member(member: Option<v1::Member>) -> Result<(u64, Member), Status> {
    let wrong = |problem: String| Err(Status::invalid_argument(format!("invalid member: {problem}")));
    let Some(member) = member else { return wrong("expected one, found none".to_owned()) };
    if id(&member.endpoint_id) != Some(member.id) {
        return wrong(format!(
            "its id {} is not that of the key {:?}",
            member.id,
            Truncated(&member.endpoint_id)
        ));
    }
    let texts = || member.targets.iter().chain([&member.name, &member.endpoint_id]);
    if member.targets.len() > TARGETS || texts().any(|text| text.len() > LONGEST) {
        return wrong(format!("expected at most {TARGETS} targets, and texts of at most {LONGEST} bytes"));
    }
    if member.targets.is_empty() {
        return wrong("expected at least one target, found none".to_owned());
    }
    let node = Member {
        name: member.name,
        endpoint_id: member.endpoint_id,
        targets: member.targets,
        incarnation: member.incarnation,
    };
    Ok((member.id, node))
}
