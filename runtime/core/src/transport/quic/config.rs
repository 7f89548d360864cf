use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

crate::section! {
    /// Plain QUIC: an address, and a certificate or a key to trust.
    pub struct Config {
        /// Whether the node serves over QUIC.
        pub enabled: bool = false,
        /// Address and UDP port to listen on. Port 0 selects a free one, which the node reuses
        /// at later starts while it is free.
        ///
        /// Loopback by default, so that the node is not exposed without an explicit setting.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7002)),
        /// PEM file with the server's certificate, followed by its intermediates. Unset, the node
        /// shows its identity key, which callers pin: `quic://host:port?key=NODE_ID`.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Calls in progress that a peer may have on one connection; it waits with the next.
        ///
        /// A QUIC stream counts until the peer has acknowledged its end, so a limit of 100 allows
        /// only about 100 calls a round trip.
        pub max_concurrent_streams: u32 = 1024,
        /// Connections open at a time; further ones are refused.
        pub max_connections: u32 = 4096,
        /// How long a new connection may take until TLS is set up.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long nothing may arrive from a peer before the connection counts as lost.
        pub idle_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long a connection is quiet before the node sends a ping; less than `idle_timeout`.
        ///
        /// Three pings fit into the default `idle_timeout`, so one lost datagram loses nothing.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(3),
        /// Whether calls of idempotent methods are taken in a known peer's first packets, before its
        /// handshake is over. An attacker can have these sent again; other methods wait.
        pub zero_rtt: bool = false,
        /// How long one message may take to arrive once it has begun.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
