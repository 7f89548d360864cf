//! `[cluster]`: the node's cluster.

use std::{path::PathBuf, time::Duration};

use polywire_core::Target;

polywire_core::section! {
    /// The node's cluster: its members, and the timeouts of failure detection.
    pub struct Cluster {
        /// Targets of the nodes to form or join a cluster with at the first start. A node that is already in a cluster
        /// stays in it.
        pub peers: Vec<Target> = Vec::new(),
        /// Targets that the other members call to reach this node, if they differ from the bound addresses: behind a
        /// load balancer or under a DNS name. Other transports advertise the bound address.
        pub advertise: Vec<Target> = Vec::new(),
        /// PEM file with the certificates of the authorities that sign the members' certificates, for teams that have such an
        /// authority. The node trusts them, instead of those of the system, in calls to members without a key in their
        /// target, and, beside those of `client_ca`, in certificates of callers.
        pub ca: Option<PathBuf> as "polywire_core::settings::path" = None,
        /// Interval of the leader's heartbeats.
        pub heartbeat_interval: Duration as "polywire_core::settings::duration" = Duration::from_millis(150),
        /// Time without a heartbeat after which a node starts an election: a random time from once to twice this value,
        /// plus twice this value for the lease of the previous leader.
        pub election_timeout: Duration as "polywire_core::settings::duration" = Duration::from_millis(300),
    }
}
