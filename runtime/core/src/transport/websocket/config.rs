use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::Origin;

crate::section! {
    /// WebSockets, for browsers and for callers behind HTTP proxies.
    pub struct Config {
        /// Whether the node serves over it.
        pub enabled: bool = false,
        /// Address and port to listen on; port 0 takes any free one, and that
        /// one again at each later start, while it is free.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7003)),
        /// The path of the WebSocket; on others nothing is found.
        pub path: String = "/".to_owned(),
        /// PEM file with the server's certificate, followed by its intermediates; connections are encrypted then.
        /// Needs `tls_key`.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// Pages that may connect, by their origin; without any, no page may. Browsers let every page open a
        /// WebSocket to every host, so this is what keeps strangers' pages out. Callers other than browsers send
        /// no origin, and may always connect.
        pub allowed_origins: Vec<Origin> = Vec::new(),
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Calls in progress that a peer may have on one connection; it waits with the next.
        pub max_concurrent_streams: u32 = 1024,
        /// Connections open at a time; further ones are refused.
        pub max_connections: u32 = 4096,
        /// How long a new connection may take through TLS, HTTP and the multiplexer's greeting.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long one message may take to arrive once it has begun.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
