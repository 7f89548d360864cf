use std::sync::Arc;

use super::{super::explain::explain as explain_subchannels, member::Member};
use crate::{Explanation, MemberExplanation, MemberService};

/// How calls choose among these members now.
pub(super) fn explain(members: &[Arc<Member>], budget: u32) -> Explanation {
    Explanation {
        subchannels: Vec::new(),
        services: Vec::new(),
        members: members.iter().map(|member| member_now(member)).collect(),
        budget,
    }
}

fn member_now(member: &Member) -> MemberExplanation {
    let current = member.peer.now();
    let channel = explain_subchannels(current.shared());
    let services = member.known_scores().into_iter().map(|(name, score)| MemberService {
        name,
        latency: score.latency(),
        errors: score.errors(),
    });
    MemberExplanation {
        id: member.id.to_string(),
        name: member.name(),
        reached: member.is_reached(),
        in_flight: member.in_flight(),
        serves: current.listing.iter().flat_map(|listing| listing.services()).map(str::to_owned).collect(),
        services: services.collect(),
        subchannels: channel.subchannels,
    }
}
