//! What crosses crates, in one binary: linking one that has iroh and tonic in it takes longer than most of
//! its tests.

// Clippy's leave for tests covers their functions, not those that they share.
#![allow(clippy::unwrap_used)]

mod access;
mod adapters;
#[cfg(target_os = "linux")]
mod balance;
mod command_line;
mod conformance;
mod discovery;
mod gateway;
mod grpc_transport;
mod hardening;
mod identity;
mod iroh_transport;
#[cfg(target_os = "linux")]
mod lab;
mod memory;
mod messagepack;
mod metrics;
mod node;
mod prometheus;
mod python;
mod quic;
mod raft;
mod retries;
mod spec_client;
mod tracing;
mod unix;
mod websocket;
