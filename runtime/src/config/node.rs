//! `[node]`: what belongs to the process as a whole.

use std::{path::PathBuf, time::Duration};

section! {
    /// What belongs to the process as a whole.
    pub struct Node {
        /// What people call this node, in status and logs; unset, it is the start of the node's id.
        pub name: Option<String> = None,
        /// Directory of what has to survive a restart, such as the node's identity. Made on first
        /// use; a relative path starts at the working directory.
        pub data_dir: PathBuf = PathBuf::from("./polywire-data"),
        /// How long calls may take to end after SIGINT or SIGTERM before they are cut off.
        ///
        /// Orchestrators commonly grant ten seconds between the signal and the kill; this leaves
        /// two of them for closing connections.
        pub drain_timeout: Duration as "humantime_serde" = Duration::from_secs(8),
    }
}
