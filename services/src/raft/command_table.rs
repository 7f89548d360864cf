//! How `cluster status` shows a cluster.

use std::fmt::Write as _;

use polywire::Plain;
use polywire_proto::{cluster::v1, status::v1 as status};

/// A cluster: what the node that was asked knows, and how its leader sees the members, where that is known.
pub(super) struct Seen {
    pub(super) own: v1::StatusResponse,
    pub(super) by_leader: status::ClusterStatus,
}

/// A member, as it is shown.
#[derive(serde::Serialize)]
struct Row<'a> {
    id: String,
    name: &'a str,
    role: &'static str,
    health: &'static str,
    /// Why it is not reached.
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    /// That a second process has its identity.
    #[serde(skip_serializing_if = "str::is_empty")]
    conflict: &'a str,
    last_contact_ms: Option<u64>,
    lag: Option<u64>,
    endpoint_id: &'a str,
    targets: &'a [String],
}

/// The cluster, as JSON. Ids are text, for many readers of JSON have no integers of 64 bits.
#[derive(serde::Serialize)]
struct Shown<'a> {
    node_id: Option<String>,
    leader_id: Option<String>,
    /// The member that sees the others so.
    seen_by: Option<String>,
    term: u64,
    initialized: bool,
    removed: bool,
    cluster_id: &'a str,
    last_log_index: u64,
    applied_index: u64,
    members: Vec<Row<'a>>,
}

impl Seen {
    /// The members with this name or id.
    pub(super) fn find(&self, name_or_id: &str) -> Vec<&v1::Member> {
        let fits = |member: &&v1::Member| member.name == name_or_id || member.id.to_string() == name_or_id;
        self.own.members.iter().filter(fits).collect()
    }

    /// What people call its members.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.own.members.iter().map(|member| Plain(&member.name).to_string()).collect();
        names.join(", ")
    }

    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        let Self { own, by_leader } = self;
        serde_json::to_string(&Shown {
            node_id: own.this.as_ref().map(|this| this.id.to_string()),
            leader_id: self.leader().map(|id| id.to_string()),
            seen_by: (by_leader.seen_by != 0).then(|| by_leader.seen_by.to_string()),
            term: own.term,
            initialized: own.initialized,
            removed: own.removed,
            cluster_id: &own.cluster_id,
            last_log_index: own.last_log_index,
            applied_index: own.applied_index,
            members: self.rows(),
        })
    }

    /// A line for the cluster, and one for each member; with their ids where `verbose` says so.
    pub(super) fn table(&self, verbose: bool) -> String {
        let own = &self.own;
        if let Some(this) = own.this.as_ref().filter(|this| !this.conflict.is_empty()) {
            return format!("this node is kept out of its cluster: {}", Plain(&this.conflict));
        }
        if !own.initialized {
            return "this node is in no cluster yet".to_owned();
        }
        let leader = self.leader().map_or_else(|| "none".to_owned(), |id| self.name(id));
        let mut text = format!(
            "leader {}, term {}, last entry {}, applied {}",
            Plain(&leader),
            own.term,
            own.last_log_index,
            own.applied_index
        );
        // Writing to a string cannot fail.
        if own.removed {
            let _ = write!(text, "\n{}", super::announcing::REMOVED);
        }
        let mut lines = vec![HEAD.map(str::to_owned).to_vec()];
        lines.extend(self.rows().iter().map(Row::cells));
        if verbose {
            let ids = std::iter::once("ID".to_owned()).chain(self.rows().into_iter().map(|row| row.id));
            lines.iter_mut().zip(ids).for_each(|(line, id)| line.insert(1, id));
        }
        let this = own.this.as_ref().map(|this| this.id.to_string());
        let marks =
            std::iter::once(' ').chain(self.rows().into_iter().map(|row| match this == Some(row.id) {
                true => '*',
                false => ' ',
            }));
        for (mark, line) in marks.zip(aligned(&lines)) {
            let _ = write!(text, "\n{mark} {line}");
        }
        for member in own.members.iter().filter(|member| !member.conflict.is_empty()) {
            let _ = write!(text, "\n{}", Plain(&member.conflict));
        }
        text
    }

    fn leader(&self) -> Option<u64> {
        self.own.leader_id.or(self.by_leader.leader_id)
    }

    fn name(&self, id: u64) -> String {
        let named = self.own.members.iter().find(|member| member.id == id).map(|member| member.name.clone());
        named.unwrap_or_else(|| id.to_string())
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let of = |id: u64| self.by_leader.nodes.iter().find(|node| node.id == id);
        self.own.members.iter().map(|member| self.row(member, of(member.id))).collect()
    }

    fn row<'a>(&self, member: &'a v1::Member, node: Option<&'a status::Node>) -> Row<'a> {
        let health = node.map(status::Node::health).unwrap_or_default();
        let role = match node.map(status::Node::role).unwrap_or_default() {
            _ if self.leader() == Some(member.id) => "leader",
            status::Role::Candidate => "candidate",
            _ if !member.voter => "learner",
            // One that does not answer follows nothing.
            status::Role::Unspecified if node.is_some() => "voter",
            _ => "follower",
        };
        Row {
            id: member.id.to_string(),
            name: &member.name,
            role,
            health: match health {
                status::MemberHealth::Unspecified => "unknown",
                status::MemberHealth::Ok => "ok",
                status::MemberHealth::Lagging => "lagging",
                status::MemberHealth::Unreachable => "unreachable",
                status::MemberHealth::NoMajority => "no-majority",
            },
            reason: node.map(|node| node.reason.as_str()).unwrap_or_default(),
            conflict: &member.conflict,
            last_contact_ms: node.and_then(|node| node.last_contact_ms),
            lag: node.and_then(|node| node.replication_lag),
            endpoint_id: &member.endpoint_id,
            targets: &member.targets,
        }
    }
}

const HEAD: [&str; 6] = ["NAME", "ROLE", "HEALTH", "LAST-CONTACT", "LAG", "TARGETS"];

/// What is not known, or does not apply.
const NONE: &str = "-";

impl Row<'_> {
    fn cells(&self) -> Vec<String> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
        vec![
            Plain(self.name).to_string(),
            self.role.to_owned(),
            self.health.to_owned(),
            shown(self.last_contact_ms.map(|ms| format!("{}.{:03}s", ms / 1_000, ms % 1_000))),
            shown(self.lag.map(|lag| lag.to_string())),
            Plain(&self.targets.join(" ")).to_string(),
        ]
    }
}

/// The cells in columns that are as wide as what is in them; the last is not filled up.
fn aligned(lines: &[Vec<String>]) -> Vec<String> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(move |line| line.get(column)).map(|cell| cell.chars().count())
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).max().unwrap_or_default()).collect();
    let filled = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(filled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, voter: bool) -> v1::Member {
        let targets = vec![format!("grpc://192.0.2.{id}:7001"), "iroh://abc".to_owned()];
        v1::Member { id, name: format!("node-{id}"), voter, targets, ..v1::Member::default() }
    }

    fn node(id: u64, role: status::Role, health: status::MemberHealth, contact: Option<u64>) -> status::Node {
        status::Node {
            id,
            role: role.into(),
            health: health.into(),
            last_contact_ms: contact,
            replication_lag: contact.map(|_| 0),
            ..status::Node::default()
        }
    }

    fn seen() -> Seen {
        use status::{MemberHealth as Health, Role};
        Seen {
            own: v1::StatusResponse {
                this: Some(member(1, true)),
                initialized: true,
                leader_id: Some(2),
                term: 3,
                members: vec![member(1, true), member(2, true), member(3, true), member(4, false)],
                last_log_index: 9,
                applied_index: 8,
                ..v1::StatusResponse::default()
            },
            by_leader: status::ClusterStatus {
                leader_id: Some(2),
                nodes: vec![
                    node(1, Role::Follower, Health::Ok, Some(12)),
                    node(2, Role::Leader, Health::Ok, None),
                    node(3, Role::Unspecified, Health::Unreachable, Some(3_100)),
                    node(4, Role::Learner, Health::Lagging, Some(0)),
                ],
                seen_by: 2,
                term: 3,
            },
        }
    }

    #[test]
    fn a_member_that_does_not_answer_is_no_follower() {
        let expected = "leader node-2, term 3, last entry 9, applied 8
  NAME    ROLE      HEALTH       LAST-CONTACT  LAG  TARGETS
* node-1  follower  ok           0.012s        0    grpc://192.0.2.1:7001 iroh://abc
  node-2  leader    ok           -             -    grpc://192.0.2.2:7001 iroh://abc
  node-3  voter     unreachable  3.100s        0    grpc://192.0.2.3:7001 iroh://abc
  node-4  learner   lagging      0.000s        0    grpc://192.0.2.4:7001 iroh://abc";
        assert_eq!(seen().table(false), expected);
        assert!(seen().table(true).contains("\n* node-1  1   follower  ok  "), "{}", seen().table(true));
    }

    #[test]
    fn a_node_of_an_older_version_says_no_more_than_it_did() {
        let seen = Seen { by_leader: status::ClusterStatus::default(), ..seen() };
        assert!(seen.table(false).contains("\n  node-3  follower  unknown  -             -    grpc://"));
        let json: serde_json::Value = serde_json::from_str(&seen.json().unwrap()).unwrap();
        assert_eq!(json["members"][1]["role"], "leader");
        assert_eq!(json["seen_by"], serde_json::Value::Null);
    }

    #[test]
    fn a_member_is_found_by_its_name_or_its_id() {
        let mut seen = seen();
        seen.own.members[2].name = "node-1".to_owned();
        let found = |what: &str| seen.find(what).iter().map(|member| member.id).collect::<Vec<_>>();
        assert_eq!((found("node-2"), found("4"), found("5")), (vec![2], vec![4], vec![]));
        assert_eq!(found("node-1"), [1, 3]);
    }
}
