use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::Origin;

crate::section! {
    /// WebSockets, for browsers and for callers behind HTTP proxies.
    pub struct Config {
        /// Whether the node serves this transport.
        pub enabled: bool = false,
        /// Address and port to listen on. Port 0 selects a free one, which the node reuses
        /// at later starts while it is free.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7003)),
        /// The path of the WebSocket; other paths answer 404.
        pub path: String = "/".to_owned(),
        /// Whether connections are encrypted; `tls_cert` implies it. Without `tls_cert`, the node shows a certificate of its
        /// identity key, which callers pin: `wss://host:port/path?key=NODE_ID`.
        pub tls_enabled: bool = false,
        /// PEM file with the server's certificate chain, the server's certificate first. It enables TLS and requires
        /// `tls_key`.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`, mode 0600.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the certificates of the authorities that sign callers' certificates; requires TLS. A caller's
        /// identity is then the SPIFFE id of its certificate, or else its first DNS name. Callers with the key of a node, and
        /// without any certificate, may connect too.
        pub client_ca: Option<PathBuf> as "crate::settings::path" = None,
        /// Origins of the pages that may connect; empty for none. Browsers let every page open a WebSocket to every
        /// host, so this list protects against foreign pages. Callers other than browsers send no origin, and may
        /// always connect.
        pub allowed_origins: Vec<Origin> = Vec::new(),
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Most calls in progress per connection; the peer queues further ones.
        pub max_concurrent_streams: u32 = 1024,
        /// Most open connections; further ones are refused.
        pub max_connections: u32 = 4096,
        /// Timeout of the TLS, HTTP and multiplexer handshakes of a new connection.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Timeout of receiving one message, from its first byte to its last.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
