//! `[node]`: what belongs to the process as a whole.

use std::{path::PathBuf, time::Duration};

use super::Delay;

polywire_core::section! {
    /// What belongs to the process as a whole.
    pub struct Node {
        /// What people call this node, in status and logs; unset, it is the start of the node's id.
        pub name: Option<String> = None,
        /// Directory of what has to survive a restart, such as the node's identity. Made on first
        /// use; a relative path starts at the working directory.
        pub data_dir: PathBuf as "polywire_core::settings::path" = PathBuf::from("./polywire-data"),
        /// How long the node is not ready, and serves as before, after SIGINT or SIGTERM; then listeners close. A second
        /// signal ends it.
        ///
        /// A load balancer goes on sending calls until its probes have failed: this is for the time that it takes, such as
        /// "10s" in Kubernetes.
        pub drain_delay: Delay = Delay::ZERO,
        /// How long calls may take to end before they are cut off, once listeners have closed after SIGINT or
        /// SIGTERM.
        ///
        /// Orchestrators commonly grant ten seconds between the signal and the kill; this leaves
        /// two of them for closing connections.
        pub drain_timeout: Duration as "polywire_core::settings::duration" = Duration::from_secs(8),
    }
}
