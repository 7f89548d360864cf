//! `[health]`: how the node watches itself.

use std::time::Duration;

polywire_core::section! {
    /// How the node watches its own health.
    pub struct Health {
        /// Time between two looks at the node's own resources.
        pub check_interval: Duration as "polywire_core::settings::duration" = Duration::from_secs(10),
        /// Free bytes on the disk of `node.data_dir` below which the node is not ready; 0 turns
        /// the check off.
        pub min_free_bytes: u64 = 67_108_864,
    }
}
