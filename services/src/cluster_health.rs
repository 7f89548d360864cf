//! The health of a cluster, as the node that answers sees it.

use std::time::Duration;

use polywire::{HealthReport, transport::NetworkPath};
use polywire_proto::monitoring::v1;

use crate::{member::Member, peer_report::PeerReport, reachability::ProbeReport};

/// What the health of a cluster is made of.
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
    pub(crate) probes: &'a [ProbeReport],
    /// Whether the node serves over the transport of this name: others need not be reachable over a transport that the
    /// node itself lacks.
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
            let probes: Vec<_> = self.probes.iter().filter(|probe| probe.member == *id).collect();
            reasons.extend(self.reasons(member, calls, &probes));
            peer(*id, member, calls, &probes)
        });
        let peers = peers.collect();
        v1::ClusterHealth { healthy: reasons.is_empty(), reasons, peers }
    }

    /// What is wrong with a member.
    fn reasons(&self, member: &Member, calls: Option<&PeerReport>, probes: &[&ProbeReport]) -> Vec<String> {
        let name = &member.name;
        let failure = |probe: &ProbeReport| match &probe.last_error {
            Some((_, reason)) => format!("over {}: {reason}", probe.transport),
            None => format!("over {}", probe.transport),
        };
        if probes.is_empty() {
            return vec![format!("{name} advertises no address that other machines can dial")];
        }
        if probes.iter().all(|probe| !probe.reachable) {
            let failures: Vec<_> = probes.iter().map(|probe| failure(probe)).collect();
            return vec![format!("{name} is not reachable ({})", failures.join("; "))];
        }
        let lost = probes.iter().filter(|probe| !probe.reachable && (self.serves)(probe.transport));
        let silent = calls.filter(|calls| self.leads && !calls.is_reachable());
        let silent = silent.into_iter().flat_map(|calls| &calls.failures);
        lost.map(|probe| format!("{name} is not reachable {}", failure(probe)))
            .chain(
                silent.map(|(transport, why)| format!("{name} does not answer Raft over {transport}: {why}")),
            )
            .collect()
    }
}

fn peer(id: u64, member: &Member, calls: Option<&PeerReport>, probes: &[&ProbeReport]) -> v1::PeerHealth {
    let failing = |transport| probes.iter().any(|probe| probe.transport == transport && !probe.reachable);
    let of_ways = probes.iter().filter(|probe| !probe.reachable).map(|probe| {
        let reason = probe.last_error.as_ref().map(|(_, reason)| reason.as_str());
        format!("{}: {}", probe.transport, reason.unwrap_or_default())
    });
    let of_calls = calls.filter(|calls| !calls.is_reachable()).into_iter().flat_map(|calls| &calls.failures);
    // Once for each transport; why the question failed is the news.
    let of_calls = of_calls.filter(|(transport, _)| !failing(*transport));
    let errors =
        of_ways.chain(of_calls.map(|(transport, reason)| format!("{transport}: {reason}"))).collect();
    let health = v1::PeerHealth {
        id,
        name: member.name.clone(),
        reachable: Some(probes.iter().any(|probe| probe.reachable)),
        errors,
        ways: probes.iter().map(|probe| tell(probe, calls)).collect(),
        ..v1::PeerHealth::default()
    };
    // Raft's own calls tell the transport that is in use; without any, the probes tell.
    let first = || probes.iter().find(|probe| probe.reachable);
    let over = |transport: Option<&str>| probes.iter().find(|probe| Some(probe.transport) == transport);
    match calls.filter(|calls| calls.is_reachable()) {
        Some(calls) => v1::PeerHealth {
            transport: calls.transport.unwrap_or_default().to_owned(),
            // Refused calls have no latency.
            round_trip_us: calls.latency.or_else(|| over(calls.transport)?.round_trip).map(microseconds),
            last_contact_ms: calls.last_contact.map(milliseconds),
            path: calls.path.as_ref().map(path),
            ..health
        },
        None => v1::PeerHealth {
            transport: first().map_or("", |probe| probe.transport).to_owned(),
            round_trip_us: first().and_then(|probe| probe.round_trip).map(microseconds),
            last_contact_ms: probes.iter().filter_map(|probe| probe.last_contact).min().map(milliseconds),
            path: first().and_then(|probe| probe.path.as_ref()).map(path),
            ..health
        },
    }
}

/// An endpoint, with the latest error of its probe and of Raft's calls.
fn tell(probe: &ProbeReport, calls: Option<&PeerReport>) -> v1::PeerWay {
    let met = calls.into_iter().flat_map(|calls| &calls.past);
    let met = met.filter(|(transport, _, _)| *transport == probe.transport);
    let errors = met.map(|(_, ago, reason)| (*ago, reason.clone())).chain(probe.last_error.clone());
    let (ago, reason) = errors.min_by_key(|(ago, _)| *ago).unzip();
    v1::PeerWay {
        transport: probe.transport.to_owned(),
        target: probe.target.clone(),
        reachable: probe.reachable,
        round_trip_us: probe.round_trip.map(microseconds),
        last_contact_ms: probe.last_contact.map(milliseconds),
        path: probe.path.as_ref().filter(|_| probe.reachable).map(path),
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
