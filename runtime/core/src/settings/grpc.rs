//! `[transport.grpc]`: gRPC over HTTP/2.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

crate::section! {
    /// gRPC over HTTP/2.
    pub struct Grpc {
        /// Address and port to listen on; port 0 takes any free one, and that
        /// one again at each later start, while it is free.
        ///
        /// Loopback by default, so that nothing is exposed before somebody says so.
        pub bind_address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7001)),
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        ///
        /// 4 MiB is what gRPC implementations receive by default, so a larger answer would fail
        /// at most clients.
        pub max_message_size: usize = 4_194_304,
        /// Whether connections are encrypted; needs `tls_cert` and `tls_key`.
        pub tls_enabled: bool = false,
        /// PEM file with the server's certificate, followed by its intermediates.
        pub tls_cert: Option<PathBuf> as "crate::settings::path" = None,
        /// PEM file with the private key of `tls_cert`.
        pub tls_key: Option<PathBuf> as "crate::settings::path" = None,
        /// Calls in progress on one connection; a client waits with the next.
        ///
        /// Advertised as `SETTINGS_MAX_CONCURRENT_STREAMS`, for which RFC 9113 section 6.5.2
        /// recommends at least 100. Without a limit one client can fill the memory.
        pub max_concurrent_streams: u32 = 1000,
        /// Connections open at a time; further ones wait in the backlog until one closes.
        pub max_connections: u32 = 4096,
        /// How long a new connection may take until TLS and HTTP/2 are set up.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long a connection is quiet before the node sends an HTTP/2 ping.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long the answer to that ping may take before the connection is closed.
        ///
        /// Together with `keep_alive_interval` this bounds how long a vanished peer holds
        /// resources.
        pub keep_alive_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long one message may take to arrive once it has begun.
        ///
        /// It does not limit the wait between messages, so idle streams stay open; a peer that
        /// sends a byte at a time does not.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}
