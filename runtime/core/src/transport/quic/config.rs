use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

crate::section! {
    /// Plain QUIC: an address, and a certificate or a key to trust.
    pub struct Config {
        /// Whether the node serves QUIC.
        pub enabled: bool = false,
        /// Address and UDP port to listen on. Port 0 selects a free one, which the node reuses
        /// at later starts while it is free.
        ///
        /// Loopback by default, so that the node is not exposed without an explicit setting.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7002)),
        /// PEM file with the server's certificate chain, the server's certificate first. Without it,
        /// callers pin the node's identity key: `quic://host:port?key=NODE_ID`.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`, mode 0600.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the certificates of the authorities that sign callers' certificates; requires `tls_cert`. A
        /// caller's identity is then the SPIFFE id of its certificate, or else its first DNS name. Callers with the key of a
        /// node, and without any certificate, may connect too.
        pub client_ca: Option<PathBuf> as "crate::settings::path" = None,
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Most calls in progress per connection; the peer queues further ones.
        ///
        /// A QUIC stream counts until the peer has acknowledged its end, so a limit of 100 allows
        /// only about 100 calls per round trip.
        pub max_concurrent_streams: u32 = 1024,
        /// Most open connections; further ones are refused.
        pub max_connections: u32 = 4096,
        /// Timeout of the TLS handshake of a new connection.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Time without any packet from a peer after which the connection counts as lost.
        pub idle_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Idle time of a connection after which the node sends a ping; less than `idle_timeout`.
        ///
        /// Three pings fit into the default `idle_timeout`, so a connection survives lost datagrams.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(3),
        /// Whether the node accepts calls of idempotent methods in a known peer's first packets, before
        /// the handshake is complete. An attacker can replay these; other methods wait.
        pub zero_rtt: bool = false,
        /// Timeout of receiving one message, from its first byte to its last.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
