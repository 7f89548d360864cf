//! `[transport.strategy]`: which service travels over which transport.

use super::setting::Setting;
use crate::ShortName;
use serde::{Deserialize, Serialize};

section! {
    /// Which service travels over which transport.
    pub struct Strategy {
        /// Short names of the services that are called over Iroh where a peer offers both.
        pub prefer_iroh_for: Vec<ShortName> = Vec::new(),
        /// How the service with the short name "raft" is called: "always_grpc", "always_iroh", or
        /// { adaptive = { latency_threshold_ms = 50.0 } }. A node that serves only one of gRPC and
        /// Iroh calls it over that one; with cluster.peers it refuses to start with a rule that
        /// asks for the other.
        ///
        /// Consensus has its own rule, because a change of transport during an election costs
        /// more than a slow call.
        pub raft_transport: RaftTransport = RaftTransport::AlwaysGrpc,
        /// Whether a call is repeated over gRPC when Iroh provably did not process it. Services
        /// preferred on Iroh are then served on gRPC too.
        pub fallback_to_grpc: bool = true,
        /// Short names of the services that are no longer served on gRPC; needs
        /// `fallback_to_grpc = false`.
        pub retired_on_grpc: Vec<ShortName> = Vec::new(),
    }
}

/// How the Raft service is called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RaftTransport {
    /// Over gRPC.
    AlwaysGrpc,
    /// Over Iroh.
    AlwaysIroh,
    /// Over Iroh while it is fast enough, else over gRPC.
    Adaptive {
        /// Measured latency in milliseconds above which a call goes over gRPC.
        latency_threshold_ms: f64,
    },
}

impl Setting for RaftTransport {
    const EXPECTED: &'static str = "\"always_grpc\", \"always_iroh\" or \
        { adaptive = { latency_threshold_ms = 50.0 } } with a number above zero";

    fn in_range(&self) -> bool {
        match *self {
            Self::Adaptive { latency_threshold_ms: ms } => ms.is_finite() && ms > 0.0,
            Self::AlwaysGrpc | Self::AlwaysIroh => true,
        }
    }
}
