//! A real Raft cluster, by annotation: consensus is `openraft`, its storage is `redb` in the data directory, and its
//! network is a service like any other, called through the generated client over the transport that
//! `transport.strategy.raft_transport` says.
//!
//! A member's id is the first eight bytes of its public key.

mod announce;
mod announcing;
mod bootstrap;
mod cluster;
mod command;
mod command_line;
mod command_table;
mod component;
mod config;
mod conflicts;
mod dialling;
mod events;
mod follower;
mod forward;
mod handle;
mod kv;
mod lifecycle;
mod membership;
mod metrics;
mod network;
mod pace;
mod peers;
mod quorum;
mod reopening;
mod server;
mod status;
pub mod store;
mod wire;

pub use self::{
    cluster::{Cluster, ClusterClient, ClusterNode, ClusterServer},
    command::{Command, Outcome},
    command_line::ClusterCommand,
    component::RaftComponent,
    config::TypeConfig,
    handle::{Handle, Metrics, Running},
    kv::{Kv, KvClient, KvNode, KvServer},
    peers::Peers,
    server::{Raft, RaftClient, RaftNode, RaftServer},
};

pub use crate::{member::Member, peer_report::PeerReport};

use self::component::LAG;
