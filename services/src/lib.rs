//! The built-in services of a polywire node, each an annotated trait with its implementation: nothing here
//! knows a transport.
//!
//! [`node`] gives a node that reports on itself; add your own services and it is a binary:
//!
//! ```no_run
//! #[polywire::main]
//! fn node() -> polywire::NodeBuilder {
//!     polywire_services::node()
//! }
//! ```
//!
//! [`cluster()`] adds Raft and a replicated key-value store, behind the cargo feature `cluster`, which is on by default:
//!
#![cfg_attr(feature = "cluster", doc = "```no_run")]
#![cfg_attr(not(feature = "cluster"), doc = "```ignore")]
//! #[polywire::main]
//! fn node() -> polywire::NodeBuilder {
//!     polywire_services::node().with(polywire_services::cluster())
//! }
//! ```
//!
//! A program that takes this crate with `default-features = false` compiles neither openraft nor redb.
//!
//! # Cancel safety
//! Dropping the future of a client's call cancels the call, and dropping a stream ends it. A read is safe to drop. A write of
//! the key-value store may be executed all the same: a request id makes it safe to repeat. A change of the cluster that has
//! begun goes on.

pub mod access;
mod cluster_health;
pub mod directory;
mod draining;
mod guarded;
pub mod health;
pub mod health_detail;
mod local_node;
mod machine;
mod member;
pub mod membership;
pub mod migration;
pub mod monitoring;
mod node_context;
mod peer_report;
#[cfg(feature = "cluster")]
pub mod raft;
mod reachability;
pub mod reflection;
pub mod status;
mod unclustered;

#[cfg(feature = "cluster")]
use polywire::node::NodeExtension;
use polywire::{Node, NodeBuilder, Router};

pub use self::node_context::register_membership;
use self::{guarded::Guarded, node_context::NodeContext};

/// A node with health, reflection, directory, status, access and monitoring, and the command `migration`.
///
/// They report on what is there: on the node alone, or on its cluster where [`cluster()`] adds one. Without it a node
/// whose configuration sets `cluster.peers` refuses to start, and `polywire.status.v1.Status/GetRaftStatus` is
/// `Unimplemented`.
pub fn node() -> NodeBuilder {
    Node::builder()
        .descriptors(polywire_proto::FILE_DESCRIPTOR_SET)
        .service_with(|parts| {
            health::HealthServer::new(health::NodeHealth::new(parts.health.clone(), parts.router.clone()))
        })
        .service_with(|parts| {
            let schemas = reflection::Schemas::new(parts.router.clone(), &parts.descriptors);
            let under_both_names = Router::new();
            under_both_names.add(reflection::ServerReflectionServer::new(schemas.clone()));
            under_both_names.add(reflection::v1alpha::ServerReflectionServer::new(schemas));
            under_both_names
        })
        .service_with(|parts| {
            health_detail::HealthServer::new(health_detail::HealthDetail::new(parts.health.clone()))
        })
        .service_with(|parts| {
            let directory = directory::DirectoryServer::new(directory::NodeDirectory::new(parts));
            Guarded::new(directory, NodeContext::of(parts))
        })
        .service_with(|parts| {
            let status = status::StatusServer::new(status::NodeStatus::new(parts));
            Guarded::new(status, NodeContext::of(parts))
        })
        .service_with(|parts| access::AccessServer::new(access::NodeAccess::new(parts)))
        .service_with(|parts| monitoring::MonitoringServer::new(monitoring::NodeMonitoring::new(parts)))
        .component(|_| node_context::BindContext)
        .command(migration::MigrationCommand)
}

/// Adds a Raft cluster with a replicated key-value store, and the command `cluster`: `node().with(cluster())`.
///
/// A node is a cluster of one until it joins another. Status, directory, monitoring and health then tell of the cluster.
#[cfg(feature = "cluster")]
pub fn cluster() -> impl NodeExtension {
    |node: NodeBuilder| node.component(raft::RaftComponent::new).command(raft::ClusterCommand)
}
