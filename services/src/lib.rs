//! The built-in services of a polywire node, each an annotated trait with its implementation: nothing here
//! knows a transport.
//!
//! [`node`] gives a node that has them all; add your own and it is a binary:
//!
//! ```no_run
//! #[polywire::main]
//! fn node() -> polywire::NodeBuilder {
//!     polywire_services::node()
//! }
//! ```

mod blixard;
mod cluster_health;
mod command_line;
pub mod directory;
pub mod health;
pub mod health_detail;
mod local_node;
mod machine;
mod member;
pub mod migration;
pub mod monitoring;
pub mod raft;
mod reach;
pub mod reflection;
pub mod status;

use polywire::{Node, NodeBuilder};

/// A node with the built-in services: health, reflection, and a cluster with its key-value store, status, monitoring and
/// directory.
pub fn node() -> NodeBuilder {
    Node::builder()
        .descriptors(polywire_proto::FILE_DESCRIPTOR_SET)
        .service_with(|parts| {
            health::HealthServer::new(health::NodeHealth::new(parts.health.clone(), parts.router.clone()))
        })
        .service_with(|parts| {
            let schemas = reflection::Schemas::new(parts.router.clone(), &parts.descriptors);
            reflection::ServerReflectionServer::new(schemas)
        })
        .service_with(|parts| {
            health_detail::HealthServer::new(health_detail::HealthDetail::new(parts.health.clone()))
        })
        .component(raft::RaftComponent::new)
        .command(raft::ClusterCommand)
        .command(migration::MigrationCommand)
}
