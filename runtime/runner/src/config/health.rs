//! `[health]`: the node's health checks.

use std::time::Duration;

polywire_core::section! {
    /// The node's health checks.
    pub struct Health {
        /// Interval of the checks of the node's own resources.
        pub check_interval: Duration as "polywire_core::settings::duration" = Duration::from_secs(10),
        /// Least free space on the disk of `node.data_dir`, in bytes; with less the node is not
        /// ready. 0 disables the check.
        pub min_free_bytes: u64 = 67_108_864,
    }
}
