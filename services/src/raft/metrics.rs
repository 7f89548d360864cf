//! What a scrape is told of consensus.

use openraft::ServerState;
use prometheus::{
    IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{Handle, lifecycle::voters};

/// Reads Raft's own figures whenever somebody scrapes; says nothing before it has started.
pub(super) struct RaftCollector {
    handle: Handle,
    gauges: Vec<(IntGauge, Reading)>,
}

type Reading = fn(&super::Metrics) -> u64;

/// The gauges: name, help, and what is read.
const GAUGES: [(&str, &str, Reading); 7] = [
    ("polywire_raft_term", "The term of consensus.", |metrics| metrics.current_term),
    ("polywire_raft_is_leader", "Whether this node leads the cluster.", |metrics| {
        u64::from(metrics.state == ServerState::Leader)
    }),
    ("polywire_raft_has_leader", "Whether this node knows a leader.", |metrics| {
        u64::from(metrics.current_leader.is_some())
    }),
    ("polywire_raft_last_log_index", "The last entry of this node's log.", |metrics| {
        metrics.last_log_index.unwrap_or_default()
    }),
    ("polywire_raft_applied_index", "The last entry that this node's store has.", |metrics| {
        metrics.last_applied.map_or(0, |id| id.index)
    }),
    ("polywire_raft_snapshot_index", "The last entry that this node's newest snapshot has.", |metrics| {
        metrics.snapshot.map_or(0, |id| id.index)
    }),
    ("polywire_raft_voters", "The members that vote.", |metrics| voters(metrics).len() as u64),
];

impl RaftCollector {
    /// # Errors
    /// When a name is malformed, which none of them is.
    pub(super) fn new(handle: Handle) -> Result<Self, prometheus::Error> {
        let gauge = |(name, help, read)| Ok((IntGauge::new(name, help)?, read));
        let gauges = GAUGES.into_iter().map(gauge).collect::<Result<_, prometheus::Error>>()?;
        Ok(Self { handle, gauges })
    }
}

impl Collector for RaftCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.iter().flat_map(|(gauge, _)| gauge.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(metrics) = self.handle.metrics() else { return Vec::new() };
        let read = |(gauge, read): &(IntGauge, Reading)| {
            gauge.set(i64::try_from(read(&metrics)).unwrap_or(i64::MAX));
            gauge.collect()
        };
        self.gauges.iter().flat_map(read).collect()
    }
}
