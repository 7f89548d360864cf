//! `[transport]`: which transports the node speaks.

use super::{Grpc, Iroh, RaftTransport, Registered, Strategy};
use polywire_core::settings::Setting;
use serde::{Deserialize, Serialize};
use toml::Table;

polywire_core::section! {
    /// Which transports the node speaks, and how each of them is set up.
    pub struct Transport {
        /// The transports in use: "grpc", "iroh", "dual" for both, or "none" for others alone.
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
    beside {
        /// The sections of the other transports that are registered, `[transport.NAME]`.
        pub registered: Registered,
    }
}

impl Transport {
    /// Whether the node serves over the transport of this name: gRPC and Iroh as the mode says, any other where
    /// its section is enabled.
    pub fn serves(&self, transport: &str) -> bool {
        match transport {
            "grpc" => self.serves_grpc(),
            "iroh" => self.serves_iroh(),
            other => self.registered.is_enabled(other),
        }
    }

    /// The section of the transport of this name. Keys that nobody has set may be absent.
    pub(crate) fn section(&self, transport: &str) -> Table {
        let written = match transport {
            "grpc" => Table::try_from(&self.grpc),
            "iroh" => Table::try_from(&self.iroh),
            other => return self.registered.section(other).cloned().unwrap_or_default(),
        };
        // What TOML cannot hold has been refused by the configuration's check.
        written.unwrap_or_default()
    }

    /// How Raft is called: as [`Strategy::raft_transport`] says, but where the node serves only one of gRPC and Iroh,
    /// over that one.
    pub fn raft_transport(&self) -> RaftTransport {
        match (self.serves_grpc(), self.serves_iroh()) {
            (true, false) => RaftTransport::AlwaysGrpc,
            (false, true) => RaftTransport::AlwaysIroh,
            (true, true) | (false, false) => self.strategy.raft_transport,
        }
    }

    /// The key that keeps the node from serving Iroh.
    pub(super) fn without_iroh(&self) -> &'static str {
        match self.mode {
            Mode::Grpc | Mode::None => "transport.mode",
            Mode::Iroh | Mode::Dual => "transport.iroh.enabled",
        }
    }

    /// Whether the node listens for gRPC.
    pub fn serves_grpc(&self) -> bool {
        matches!(self.mode, Mode::Grpc | Mode::Dual)
    }

    /// Whether the node listens for Iroh: the mode says so and the section is enabled.
    pub fn serves_iroh(&self) -> bool {
        matches!(self.mode, Mode::Iroh | Mode::Dual) && self.iroh.enabled
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
    /// Neither: other transports alone, those whose sections are enabled.
    None,
}

impl Setting for Mode {
    const EXPECTED: &'static str = "\"grpc\", \"iroh\", \"dual\" or \"none\"";
}
