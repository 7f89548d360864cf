//! `[compat]`: what is served for the sake of clients that are older than polywire.

polywire_core::section! {
    /// What is served for the sake of clients that are older than polywire.
    pub struct Compat {
        /// Whether the methods of `blixard.ClusterService` and `blixard.BlixardService` that its clients call are
        /// served.
        pub blixard: bool = false,
    }
}
