//! `[transport]`: the node's transports.

use std::net::SocketAddr;

use super::{Grpc, Iroh, RaftTransport, Registered, Strategy};
use polywire_core::settings::Setting;
use serde::{Deserialize, Serialize};
use toml::Table;

polywire_core::section! {
    /// The node's transports and their settings.
    pub struct Transport {
        /// The transports in use: "grpc", "iroh", "dual" for both, or "none" for other transports only.
        pub mode: Mode = Mode::Dual,
    }
    sections {
        /// gRPC over HTTP/2.
        pub grpc: Grpc,
        /// Iroh: QUIC between peers that dial each other by key.
        pub iroh: Iroh,
        /// The choice of transports for outgoing calls.
        pub strategy: Strategy,
    }
    beside {
        /// The sections `[transport.NAME]` of other registered transports.
        pub registered: Registered,
    }
}

impl Transport {
    /// Whether the node serves on the transport of this name: the mode decides for gRPC and Iroh, `enabled` for others.
    pub fn serves(&self, transport: &str) -> bool {
        match transport {
            "grpc" => self.serves_grpc(),
            "iroh" => self.serves_iroh(),
            other => self.registered.is_enabled(other),
        }
    }

    /// Where the transport of this name listens: `bind_address` of its section, where that is an address and a port. `None` for
    /// Iroh, which tells the addresses of the machine itself, and for transports without the key.
    pub fn bind_address(&self, transport: &str) -> Option<SocketAddr> {
        self.section(transport).get("bind_address")?.as_str()?.parse().ok()
    }

    /// Whether a transport that is on has authorities of its callers' certificates.
    pub(super) fn has_client_ca(&self) -> bool {
        let mut others = self.registered.sections().filter(|(name, _)| self.registered.is_enabled(name));
        (self.serves_grpc() && self.grpc.client_ca.is_some())
            || others.any(|(_, section)| section.contains_key("client_ca"))
    }

    /// The section of the transport of this name. Unset keys may be absent.
    pub(crate) fn section(&self, transport: &str) -> Table {
        let written = match transport {
            "grpc" => Table::try_from(&self.grpc),
            "iroh" => Table::try_from(&self.iroh),
            other => return self.registered.section(other).cloned().unwrap_or_default(),
        };
        // The configuration's check refuses values that TOML cannot represent.
        written.unwrap_or_default()
    }

    /// The transport of Raft's calls: [`Strategy::raft_transport`], or the only one of gRPC and Iroh that the node serves.
    pub fn raft_transport(&self) -> RaftTransport {
        match (self.serves_grpc(), self.serves_iroh()) {
            (true, false) => RaftTransport::AlwaysGrpc,
            (false, true) => RaftTransport::AlwaysIroh,
            (true, true) | (false, false) => self.strategy.raft_transport,
        }
    }

    /// The key that disables Iroh.
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

    /// Whether the node listens for Iroh: the mode includes it and the section is enabled.
    pub fn serves_iroh(&self) -> bool {
        matches!(self.mode, Mode::Iroh | Mode::Dual) && self.iroh.enabled
    }
}

/// The node's combination of gRPC and Iroh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// gRPC alone.
    Grpc,
    /// Iroh alone.
    Iroh,
    /// Both; [`Strategy`] chooses per service.
    Dual,
    /// Neither: only other transports with an enabled section.
    None,
}

impl Setting for Mode {
    const EXPECTED: &'static str = "\"grpc\", \"iroh\", \"dual\" or \"none\"";
}

#[cfg(test)]
#[cfg(all(feature = "quic", feature = "memory"))]
mod tests {
    use crate::config::Loader;

    #[test]
    fn each_transport_listens_where_its_section_says() {
        let text = "[transport.grpc]\nbind_address = \"0.0.0.0:1\"\n[transport.iroh]\nbind_address = \"0.0.0.0\"\n\
                    [transport.quic]\nbind_address = \"[::]:2\"\n";
        let config = Loader::new().text("node.toml", text).load().unwrap().config;
        let told = ["grpc", "quic", "iroh", "memory"]
            .map(|name| config.transport.bind_address(name).map(|address| address.to_string()));
        assert_eq!(told, [Some("0.0.0.0:1".to_owned()), Some("[::]:2".to_owned()), None, None]);
    }
}
