//! A Raft cluster with a key-value store. Consensus is `openraft`, storage is `redb` in the data directory, and the network
//! is an annotated service like any other, called over the transport that `transport.strategy.raft_transport` names.
//!
//! A member's id is the first eight bytes of its public key.

mod announce;
mod announcing;
mod bootstrap;
mod cluster;
mod cluster_node;
mod collector;
mod command;
mod command_line;
mod command_table;
mod component;
mod config;
mod conflicts;
mod dialling;
mod events;
mod examine;
mod follower;
mod forward;
mod handle;
mod join;
mod kv;
mod leave;
mod lifecycle;
mod member_change;
mod member_wire;
mod membership;
mod metrics;
mod network;
mod pace;
mod peer;
mod peer_state;
mod peers;
mod quorum;
mod reopening;
mod running;
mod server;
mod setup;
mod status;
pub mod store;
mod wire;

pub use self::{
    cluster::{Cluster, ClusterClient, ClusterServer},
    cluster_node::ClusterNode,
    command::{Command, Outcome},
    command_line::ClusterCommand,
    component::RaftComponent,
    config::TypeConfig,
    handle::Handle,
    kv::{Kv, KvClient, KvNode, KvServer},
    metrics::Metrics,
    peers::Peers,
    running::Running,
    server::{Raft, RaftClient, RaftNode, RaftServer},
};
pub use crate::{member::Member, peer_report::PeerReport};
