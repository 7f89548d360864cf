//! `[cluster]`: whom the node forms a cluster with.

use std::time::Duration;

use polywire_core::Target;

polywire_core::section! {
    /// Whom the node forms a cluster with, and how fast they notice that one is gone.
    pub struct Cluster {
        /// Targets of nodes to form or join a cluster with at the first start; a node that is in a cluster already
        /// stays in that one.
        pub peers: Vec<Target> = Vec::new(),
        /// Targets at which the other members reach this node, where they differ from what it binds: behind a load
        /// balancer, under a name. For a transport that none of them names, what is bound is told.
        pub advertise: Vec<Target> = Vec::new(),
        /// How often the leader tells the others that it is there.
        pub heartbeat_interval: Duration as "polywire_core::settings::duration" = Duration::from_millis(150),
        /// How long a node hears of no leader before it stands for election: at least this, at most twice this, and
        /// behind that twice this once more, for as long as the lease of the leader before may last.
        pub election_timeout: Duration as "polywire_core::settings::duration" = Duration::from_millis(300),
    }
}
