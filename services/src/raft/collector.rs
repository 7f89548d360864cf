//! The Prometheus metrics of consensus.

use openraft::ServerState;
use prometheus::{
    Gauge, IntCounter, IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    handle::Handle,
    metrics::{Metrics, full_voters},
};

/// Reads Raft's own figures at each scrape; has no samples before Raft has started.
pub(super) struct RaftCollector {
    handle: Handle,
    gauges: Vec<(IntGauge, Reading)>,
    quorum_age: Gauge,
    refused: IntCounter,
}

type Reading = fn(&Metrics) -> u64;

/// The gauges: name, help, and what is read.
const GAUGES: [(&str, &str, Reading); 7] = [
    ("polywire_raft_term", "The term of consensus.", |metrics| metrics.current_term),
    ("polywire_raft_is_leader", "Whether this node leads the cluster.", |metrics| {
        u64::from(metrics.state == ServerState::Leader)
    }),
    (
        "polywire_raft_has_leader",
        "Whether this node knows a leader that a majority has confirmed lately.",
        |metrics| u64::from(metrics.current_leader.is_some()),
    ),
    ("polywire_raft_last_log_index", "The last entry of this node's log.", |metrics| {
        metrics.last_log_index.unwrap_or_default()
    }),
    ("polywire_raft_applied_index", "The last entry that this node's store has.", |metrics| {
        metrics.last_applied.map_or(0, |id| id.index)
    }),
    ("polywire_raft_snapshot_index", "The last entry that this node's newest snapshot has.", |metrics| {
        metrics.snapshot.map_or(0, |id| id.index)
    }),
    ("polywire_raft_voters", "The members that vote.", |metrics| {
        full_voters([metrics.membership_config.membership()]).len() as u64
    }),
];

/// The gauge that is not an integer: its name and help.
const QUORUM_AGE: (&str, &str) = (
    "polywire_raft_quorum_age_seconds",
    "Since a majority of the voters has confirmed the leader that this node knows; +Inf while none has.",
);

/// The counter: its name and help.
const REFUSED: (&str, &str) = (
    "polywire_raft_refused_total",
    "Messages of members that contradict themselves or this node, and were refused.",
);

impl RaftCollector {
    /// # Errors
    /// When a name is malformed; none is.
    pub(super) fn new(handle: Handle) -> Result<Self, prometheus::Error> {
        let gauge = |(name, help, read)| Ok((IntGauge::new(name, help)?, read));
        let gauges = GAUGES.into_iter().map(gauge).collect::<Result<_, prometheus::Error>>()?;
        let quorum_age = Gauge::new(QUORUM_AGE.0, QUORUM_AGE.1)?;
        let refused = IntCounter::new(REFUSED.0, REFUSED.1)?;
        Ok(Self { handle, gauges, quorum_age, refused })
    }
}

impl Collector for RaftCollector {
    fn desc(&self) -> Vec<&Desc> {
        let counts = self.gauges.iter().flat_map(|(gauge, _)| gauge.desc());
        counts.chain(self.quorum_age.desc()).chain(self.refused.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(running) = self.handle.running() else { return Vec::new() };
        let metrics = running.metrics();
        let read = |(gauge, read): &(IntGauge, Reading)| {
            gauge.set(i64::try_from(read(&metrics)).unwrap_or(i64::MAX));
            gauge.collect()
        };
        let age = running.quorum_age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        self.quorum_age.set(age);
        // Counted anew by a Raft that takes the place of another; the sum goes on.
        let refused = running.checked.take_refused();
        self.refused.inc_by(refused);
        let others = self.quorum_age.collect().into_iter().chain(self.refused.collect());
        self.gauges.iter().flat_map(read).chain(others).collect()
    }
}
