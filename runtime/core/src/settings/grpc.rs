//! `[transport.grpc]`: gRPC over HTTP/2.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

crate::section! {
    /// gRPC over HTTP/2.
    pub struct Grpc {
        /// Address and port to listen on. Port 0 selects a free one, which the node reuses
        /// at later starts while it is free.
        ///
        /// Loopback by default, so that the node is not exposed without an explicit setting.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7001)),
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        ///
        /// 4 MiB is the default receive limit of gRPC implementations, so most clients refuse
        /// larger responses.
        pub max_message_size: usize = 4_194_304,
        /// Whether connections are encrypted. Without `tls_cert` and `tls_key`, the node shows a certificate of its identity
        /// key, which callers pin: `grpcs://host:port?key=NODE_ID`.
        pub tls_enabled: bool = false,
        /// PEM file with the server's certificate chain, the server's certificate first.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`, mode 0600.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the certificates of the authorities that sign clients' certificates; requires `tls_enabled`. A
        /// caller's identity is then the SPIFFE id of its certificate, or else its first DNS name. Callers with the key of a
        /// node, and without any certificate, may connect too.
        pub client_ca: Option<PathBuf> as "crate::settings::path" = None,
        /// Most calls in progress per connection; clients queue further ones.
        ///
        /// Advertised as `SETTINGS_MAX_CONCURRENT_STREAMS`, for which RFC 9113 section 6.5.2
        /// recommends at least 100. Without a limit one client can fill the memory.
        pub max_concurrent_streams: u32 = 1000,
        /// Most open connections; further ones wait in the backlog until one closes.
        pub max_connections: u32 = 4096,
        /// Timeout of the TLS and HTTP/2 handshakes of a new connection.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Idle time of a connection after which the node sends an HTTP/2 ping.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Timeout of the answer to that ping, after which the node closes the connection.
        ///
        /// Together with `keep_alive_interval` it bounds the time that a vanished peer holds
        /// resources.
        pub keep_alive_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Timeout of receiving one message, from its first byte to its last.
        ///
        /// The time between messages is not limited, so idle streams stay open; a peer that
        /// sends a byte at a time is cut off.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
