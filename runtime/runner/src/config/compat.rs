//! `[compat]`: services for clients that are older than polywire.

polywire_core::section! {
    /// Services for clients that are older than polywire.
    pub struct Compat {
        /// Whether the node serves the methods of `blixard.ClusterService` and `blixard.BlixardService` that their
        /// clients call.
        pub blixard: bool = false,
    }
}
