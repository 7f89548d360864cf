//! The node: a program that is assembled from services and a configuration, with health, metrics, an HTTP side and a
//! command line.
//!
//! Programs use it through `polywire`, which re-exports it under the same names.
//!
//! Arrows point down only:
//!
//! ```text
//! cli          the commands of a node's binary
//! node         assembles services, transports, checks and the HTTP side
//! transports   configures and binds transports
//! config       settings and their layers
//! metrics      the node's metrics
//! health       the node's health
//! jwt          JSON Web Tokens of an existing issuer, with the feature `jwt`
//! tokens       invitations: what they say, and which are revoked or used up
//! command      a command that a program adds to its binary
//! section      a section of a configuration, read
//! ```

// So that the expansions of `polywire_core::section!` and of the macros work here.
#[allow(unused_extern_crates)]
extern crate polywire_core as polywire;

pub mod cli;
mod command;
pub mod config;
mod health;
#[cfg(feature = "jwt")]
pub mod jwt;
pub mod metrics;
pub mod node;
mod section;
pub mod tokens;
mod transports;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use health::{Health, HealthReport, NodeState};
pub use node::{
    Component, ComponentError, Exposure, Node, NodeBuilder, NodeError, NodeHandle, Parts, Targets, Upstream,
};
pub use transports::register;
