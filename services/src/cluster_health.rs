//! The verdict on a cluster, from the node that answers.

use std::time::Duration;

use polywire::{HealthReport, transport::NetworkPath};
use polywire_proto::monitoring::v1;

use crate::{member::Member, peer_report::PeerReport, reach::WayReport};

/// What a verdict is made of.
pub(crate) struct Findings<'a> {
    /// How the node itself is.
    pub(crate) own: &'a HealthReport,
    /// Whether it leads, and so calls all others all the time.
    pub(crate) leads: bool,
    /// The other members, in the order of their ids.
    pub(crate) members: &'a [(u64, Member)],
    /// What Raft's calls to them have shown.
    pub(crate) calls: &'a [PeerReport],
    /// What asking them has shown, in the order of their ids.
    pub(crate) ways: &'a [WayReport],
    /// Whether the node serves over the transport of this name: what it does not, it need not be reached by.
    pub(crate) serves: &'a dyn Fn(&str) -> bool,
}

impl Findings<'_> {
    pub(crate) fn verdict(&self) -> v1::ClusterHealth {
        let of_cluster = |name: &str| matches!(name, "raft" | "storage" | "peers");
        let components = self.own.components.iter().filter(|(name, _)| of_cluster(name));
        let mut reasons: Vec<_> = components
            .filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.as_ref().err()?)))
            .collect();
        let peers = self.members.iter().map(|(id, member)| {
            let calls = self.calls.iter().find(|report| report.id == *id);
            let ways: Vec<_> = self.ways.iter().filter(|way| way.member == *id).collect();
            reasons.extend(self.reasons(member, calls, &ways));
            peer(*id, member, calls, &ways)
        });
        let peers = peers.collect();
        v1::ClusterHealth { healthy: reasons.is_empty(), reasons, peers }
    }

    /// What is wrong with a member.
    fn reasons(&self, member: &Member, calls: Option<&PeerReport>, ways: &[&WayReport]) -> Vec<String> {
        let name = &member.name;
        let failure = |way: &WayReport| match &way.last_error {
            Some((_, reason)) => format!("over {}: {reason}", way.transport),
            None => format!("over {}", way.transport),
        };
        if ways.is_empty() {
            return vec![format!("{name} has no address that leads there from elsewhere")];
        }
        if ways.iter().all(|way| !way.reachable) {
            let failures: Vec<_> = ways.iter().map(|way| failure(way)).collect();
            return vec![format!("{name} is not reachable ({})", failures.join("; "))];
        }
        let lost = ways.iter().filter(|way| !way.reachable && (self.serves)(way.transport));
        let silent = calls.filter(|calls| self.leads && !calls.is_reachable());
        let silent = silent.into_iter().flat_map(|calls| &calls.failures);
        lost.map(|way| format!("{name} is not reachable {}", failure(way)))
            .chain(
                silent.map(|(transport, why)| format!("{name} does not answer Raft over {transport}: {why}")),
            )
            .collect()
    }
}

fn peer(id: u64, member: &Member, calls: Option<&PeerReport>, ways: &[&WayReport]) -> v1::PeerHealth {
    let failing = |transport| ways.iter().any(|way| way.transport == transport && !way.reachable);
    let of_ways = ways.iter().filter(|way| !way.reachable).map(|way| {
        let reason = way.last_error.as_ref().map(|(_, reason)| reason.as_str());
        format!("{}: {}", way.transport, reason.unwrap_or_default())
    });
    let of_calls = calls.filter(|calls| !calls.is_reachable()).into_iter().flat_map(|calls| &calls.failures);
    // Once for each transport; why the question failed is the news.
    let of_calls = of_calls.filter(|(transport, _)| !failing(*transport));
    let errors =
        of_ways.chain(of_calls.map(|(transport, reason)| format!("{transport}: {reason}"))).collect();
    let health = v1::PeerHealth {
        id,
        name: member.name.clone(),
        reachable: Some(ways.iter().any(|way| way.reachable)),
        errors,
        ways: ways.iter().map(|way| tell(way, calls)).collect(),
        ..v1::PeerHealth::default()
    };
    // What members have to say to each other goes the way that Raft chooses; who has nothing to say knows the ways.
    let first = || ways.iter().find(|way| way.reachable);
    let over = |transport: Option<&str>| ways.iter().find(|way| Some(way.transport) == transport);
    match calls.filter(|calls| calls.is_reachable()) {
        Some(calls) => v1::PeerHealth {
            transport: calls.transport.unwrap_or_default().to_owned(),
            // Calls that were refused say nothing of how long the way is.
            round_trip_us: calls.latency.or_else(|| over(calls.transport)?.round_trip).map(microseconds),
            last_contact_ms: calls.last_contact.map(milliseconds),
            path: calls.path.as_ref().map(path),
            ..health
        },
        None => v1::PeerHealth {
            transport: first().map_or("", |way| way.transport).to_owned(),
            round_trip_us: first().and_then(|way| way.round_trip).map(microseconds),
            last_contact_ms: ways.iter().filter_map(|way| way.last_contact).min().map(milliseconds),
            path: first().and_then(|way| way.path.as_ref()).map(path),
            ..health
        },
    }
}

/// A way, with the latest error that anybody met on it.
fn tell(way: &WayReport, calls: Option<&PeerReport>) -> v1::PeerWay {
    let met = calls.into_iter().flat_map(|calls| &calls.past);
    let met = met.filter(|(transport, _, _)| *transport == way.transport);
    let errors = met.map(|(_, ago, reason)| (*ago, reason.clone())).chain(way.last_error.clone());
    let (ago, reason) = errors.min_by_key(|(ago, _)| *ago).unzip();
    v1::PeerWay {
        transport: way.transport.to_owned(),
        target: way.target.clone(),
        reachable: way.reachable,
        round_trip_us: way.round_trip.map(microseconds),
        last_contact_ms: way.last_contact.map(milliseconds),
        path: way.path.as_ref().filter(|_| way.reachable).map(path),
        last_error: reason.unwrap_or_default(),
        last_error_ms: ago.map(milliseconds),
    }
}

fn path(path: &NetworkPath) -> v1::PeerPath {
    v1::PeerPath {
        relayed: path.relay.is_some(),
        remote: path.remote.clone().unwrap_or_default(),
        relay_url: path.relay.clone().unwrap_or_default(),
        round_trip_us: path.round_trip.map(microseconds),
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
