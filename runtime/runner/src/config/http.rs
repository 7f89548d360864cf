//! `[http]`: metrics and probes.

use std::net::{Ipv4Addr, SocketAddr};

polywire_core::section! {
    /// The HTTP side: metrics and probes.
    pub struct Http {
        /// Whether /metrics, /livez and /readyz are served.
        pub enabled: bool = true,
        /// Address and port to listen on; port 0 takes any free one, and that
        /// one again at each later start, while it is free.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7080)),
    }
}
