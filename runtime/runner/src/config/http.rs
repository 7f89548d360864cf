//! `[http]`: metrics and probes.

use std::net::{Ipv4Addr, SocketAddr};

polywire_core::section! {
    /// The HTTP side: metrics and probes.
    pub struct Http {
        /// Whether the node serves /metrics, /livez and /readyz.
        pub enabled: bool = true,
        /// Address and port to listen on. Port 0 selects a free one, which the node reuses
        /// at later starts while it is free.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7080)),
    }
}
