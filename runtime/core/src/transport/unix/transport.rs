use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::UnixStream;

use super::{Address, Listener, NAME, address::SCHEME, socket::Socket};
use crate::{
    ConnectOptions, Limits, Status,
    transport::{
        BindContext, BindError, Scheme,
        framed::{Listening, ServeOptions, StreamTransport},
        mux::{Mux, MuxConfig, MuxConnection},
    },
};

crate::section! {
    /// Unix sockets, between processes of one machine.
    pub struct Config {
        /// Whether the node serves this transport.
        pub enabled: bool = false,
        /// Path of the socket; a relative path starts at the working directory. A leftover socket of a killed
        /// process is replaced.
        pub path: PathBuf = PathBuf::from("polywire.sock"),
        /// Whether all users of this machine may connect (mode 0666), or only the node's own user (0600).
        pub all_users: bool = false,
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Most calls in progress per connection; the peer queues further ones.
        pub max_concurrent_streams: u32 = 1024,
        /// Most open connections; further ones are refused.
        pub max_connections: u32 = 4096,
        /// Timeout of the handshake of a new connection.
        pub handshake_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Timeout of receiving one message, from its first byte to its last.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}

/// The transport: Unix sockets.
#[derive(Clone, Copy, Debug)]
pub struct Unix;

impl StreamTransport for Unix {
    type Config = Config;
    type Address = Address;
    type Connection = MuxConnection;
    type Listener = Listener;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[SCHEME]
    }

    fn is_local(&self) -> bool {
        true
    }

    fn parse(&self, _: &'static str, rest: &str) -> Result<Address, String> {
        Address::new(rest)
    }

    async fn dial(&self, address: &Address, options: &ConnectOptions) -> Result<MuxConnection, Status> {
        let unreachable = |error: &dyn std::fmt::Display| Status::unavailable(format!("{address}: {error}"));
        let stream = UnixStream::connect(address.path()).await.map_err(|error| unreachable(&error))?;
        let mux = MuxConfig { handshake_timeout: options.connect_timeout, ..MuxConfig::default() };
        Mux::client(stream, mux).await.map_err(|error| unreachable(&error))
    }

    async fn listen(&self, config: Config, _: BindContext) -> Result<Listening<Listener>, BindError> {
        bind(config)
    }
}

fn bind(config: Config) -> Result<Listening<Listener>, BindError> {
    let key = "transport.unix.path";
    let path = config.path.clone();
    let refused = |error| BindError::listen(key, path.display(), error);
    let address = Address::new(std::path::absolute(&path).map_err(refused)?)
        .map_err(|problem| BindError::setting(key, problem))?;
    let mode = if config.all_users { 0o666 } else { 0o600 };
    let socket = Socket::bind(Path::to_owned(address.path()), mode).map_err(refused)?;
    let mux = MuxConfig {
        max_concurrent_streams: config.max_concurrent_streams,
        handshake_timeout: config.handshake_timeout,
        ..MuxConfig::default()
    };
    let options = ServeOptions {
        limits: Limits {
            max_message_bytes: config.max_message_size,
            message_timeout: config.message_timeout,
            ..Limits::default()
        },
        max_connections: config.max_connections as usize,
        handshake_timeout: config.handshake_timeout,
        ..ServeOptions::default()
    };
    let listener = Listener::new(socket, mux, options.limits.clone());
    Ok(Listening { listener, target: address.to_string(), options })
}
