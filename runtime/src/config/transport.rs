//! `[transport]`: which transports the node speaks.

use super::{Grpc, Iroh, Strategy, setting::Setting};
use serde::{Deserialize, Serialize};

section! {
    /// Which transports the node speaks, and how each of them is set up.
    pub struct Transport {
        /// The transports in use: "grpc", "iroh", or "dual" for both.
        pub mode: Mode = Mode::Dual,
    }
    sections {
        /// gRPC over HTTP/2.
        pub grpc: Grpc,
        /// Iroh: QUIC between peers that dial each other by key.
        pub iroh: Iroh,
        /// Which service travels over which transport.
        pub strategy: Strategy,
    }
}

impl Transport {
    /// Whether the node listens for gRPC.
    pub fn serves_grpc(&self) -> bool {
        self.mode != Mode::Iroh
    }

    /// Whether the node listens for Iroh: the mode says so and the section is enabled.
    pub fn serves_iroh(&self) -> bool {
        self.mode != Mode::Grpc && self.iroh.enabled
    }
}

/// The transports that a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// gRPC alone.
    Grpc,
    /// Iroh alone.
    Iroh,
    /// Both, chosen per service by [`Strategy`].
    Dual,
}

impl Setting for Mode {
    const EXPECTED: &'static str = "\"grpc\", \"iroh\" or \"dual\"";
}
