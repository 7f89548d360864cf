//! A real Raft with a real store, that other members tell absurd things.

mod absurd;
mod answers;
mod node;
mod random;

use std::collections::BTreeMap;

use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, Membership, Vote, raft::AppendEntriesRequest};

use self::node::Node;
use super::*;
use crate::raft::Command;

/// This node. The two others are 2 and 3.
const SELF: u64 = 1;

fn id(term: u64, node: u64, index: u64) -> LogId<u64> {
    LogId::new(CommittedLeaderId::new(term, node), index)
}

fn member(node: u64) -> Member {
    let endpoint_id = format!("{node:016x}{:048x}", 0);
    Member { endpoint_id, name: format!("node-{node}"), ..Member::default() }
}

fn members(nodes: impl IntoIterator<Item = u64>) -> Membership<u64, Member> {
    BTreeMap::from_iter(nodes.into_iter().map(|node| (node, member(node)))).into()
}

/// A membership of these voters, of which only this node is a member.
fn voters_alone(voters: &[u64]) -> Membership<u64, Member> {
    let nodes = BTreeMap::from([(SELF.to_string(), member(SELF))]);
    let text = serde_json::json!({ "configs": [voters], "nodes": nodes }).to_string();
    serde_json::from_str(&text).unwrap()
}

fn write(id: LogId<u64>) -> Entry<TypeConfig> {
    let command = Command {
        key: "key".to_owned(),
        value: Some("value".into()),
        expected_revision: None,
        request_id: None,
    };
    Entry { log_id: id, payload: EntryPayload::Normal(command) }
}

fn membership(id: LogId<u64>, membership: Membership<u64, Member>) -> Entry<TypeConfig> {
    Entry { log_id: id, payload: EntryPayload::Membership(membership) }
}

/// Entries of the leader of this vote.
fn entries(
    vote: Vote<u64>,
    before: Option<LogId<u64>>,
    entries: Vec<Entry<TypeConfig>>,
    commit: Option<LogId<u64>>,
) -> AppendEntriesRequest<TypeConfig> {
    AppendEntriesRequest { vote, prev_log_id: before, entries, leader_commit: commit }
}
