//! Peers and clusters of which one target is known, and the directory tells the rest.
//!
//! What is known is used until it goes stale, and asked for again beside the calls; a call waits for the directory only
//! where nothing is known yet.

mod builder;
mod choice;
mod cluster;
mod discovered;
mod explain;
mod listing;
mod member;
mod peer;
mod refresh;
mod response_stream;
mod setup;
#[cfg(test)]
mod tests;
mod told;
mod ttl;
mod verify_peer;

pub use {builder::ClusterBuilder, told::leads_here};
pub(super) use {discovered::Discovered, setup::Setup};
