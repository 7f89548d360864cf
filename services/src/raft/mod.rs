//! A Raft cluster with a key-value store. Consensus is `openraft`, storage is `redb` in the data directory, and the network
//! is an annotated service like any other, called over the transport that `transport.strategy.raft_transport` names.
//!
//! A member's id is the first eight bytes of its public key.

mod access;
mod admission;
mod announce;
mod announcing;
mod ask;
mod bootstrap;
mod checked;
mod cluster;
mod cluster_node;
mod collector;
mod command;
mod command_line;
mod command_table;
mod completing;
mod component;
mod config;
mod conflicts;
mod dialling;
mod events;
mod examine;
mod follower;
mod forward;
mod handle;
mod invitation;
mod join;
mod key;
mod kv;
mod leave;
mod lifecycle;
mod member_change;
mod member_wire;
mod membership;
mod membership_news;
mod metrics;
mod network;
mod pace;
mod peer;
mod peer_state;
mod peers;
mod plaintext;
mod proof;
mod quorum;
mod reach;
mod reopening;
mod running;
mod server;
mod setup;
mod statement;
mod status;
pub mod store;
mod token_records;
mod token_store;
mod trust;
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
    token_records::{TokenRecords, TokenRecordsClient, TokenRecordsServer},
};
pub use crate::{member::Member, peer_report::PeerReport};
