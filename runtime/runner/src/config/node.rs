//! `[node]`: settings of the process as a whole.

use std::{path::PathBuf, time::Duration};

use super::Delay;

polywire_core::section! {
    /// Settings of the process as a whole.
    pub struct Node {
        /// The node's display name, for status and logs. The default is the start of the node's id.
        pub name: Option<String> = None,
        /// Directory of persistent data, such as the node's identity. Created on first use; a
        /// relative path starts at the working directory.
        pub data_dir: PathBuf as "polywire_core::settings::path" = PathBuf::from("./polywire-data"),
        /// Time between SIGINT or SIGTERM and the closing of listeners, in which the node is not ready and still serves. A
        /// second signal ends it.
        ///
        /// A load balancer sends calls until its probes fail; this delay covers that time, for example "10s" in Kubernetes.
        pub drain_delay: Delay = Delay::ZERO,
        /// Time for calls in flight to finish after listeners have closed; the node cuts the remaining ones.
        ///
        /// Orchestrators commonly grant ten seconds between the signal and the kill; the default leaves
        /// two of them for closing connections.
        pub drain_timeout: Duration as "polywire_core::settings::duration" = Duration::from_secs(8),
    }
}
