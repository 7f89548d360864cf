//! Calls over plain TCP, neither encrypted nor authenticated: a transport of its own crate, against polywire's
//! public API alone.

use std::{fmt, io, net::SocketAddr};

use polywire_core::{
    Caller, ConnectOptions, Limits, Status,
    transport::{
        BindContext, BindError, Scheme,
        framed::{Accepted, Handshake, Listener, Listening, ServeOptions, StreamTransport},
        mux::{Mux, MuxConfig, MuxConnection},
        net,
    },
};
use tokio::net::TcpListener;

/// The transport. `#[polywire::main(transports = [Tcp])]` makes it known.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

polywire_core::section! {
    /// Calls over plain TCP, neither encrypted nor authenticated.
    pub struct TcpConfig {
        /// Whether the node serves over it.
        pub enabled: bool = false,
        /// Address and port to listen on; port 0 takes any free one, and that again at the next start.
        pub bind_address: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7009)),
        /// Largest message in either direction, in bytes.
        pub max_message_size: usize = 4_194_304,
        /// How many calls one connection may have under way at once.
        pub max_concurrent_streams: u32 = 1024,
    }
}

/// Where a peer is: `tcp://host:port`.
#[derive(Clone, Debug)]
pub struct TcpAddress(String);

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}", self.0)
    }
}

impl StreamTransport for Tcp {
    type Config = TcpConfig;
    type Address = TcpAddress;
    type Connection = MuxConnection;
    type Listener = Acceptor;

    fn name(&self) -> &'static str {
        "tcp"
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[Scheme { name: "tcp", form: "tcp://host:port" }]
    }

    fn parse(&self, _scheme: &'static str, rest: &str) -> Result<TcpAddress, String> {
        match rest.rsplit_once(':') {
            None => Err("the port is missing".to_owned()),
            Some(("", _)) => Err("the host is missing".to_owned()),
            Some((_, port)) if port.parse::<u16>().is_err() => {
                Err("the port is not a number from 0 to 65535".to_owned())
            }
            Some(_) => Ok(TcpAddress(rest.to_owned())),
        }
    }

    async fn dial(&self, address: &TcpAddress, _options: &ConnectOptions) -> Result<MuxConnection, Status> {
        let unreachable = |error: &dyn fmt::Display| Status::unavailable(format!("{address}: {error}"));
        let tcp = net::connect(&*address.0).await.map_err(|error| unreachable(&error))?;
        tcp.set_nodelay(true).map_err(|error| unreachable(&error))?;
        Mux::client(tcp, MuxConfig::default()).await.map_err(|error| unreachable(&error))
    }

    async fn listen(&self, config: TcpConfig, node: BindContext) -> Result<Listening<Acceptor>, BindError> {
        let address = config.bind_address;
        let refused = |error| BindError::listen("transport.tcp.bind_address", address, error);
        // Port 0 is the same port at each start, while it is free.
        let bind = |address: SocketAddr| async move {
            let listener = TcpListener::bind(address).await?;
            let local = listener.local_addr()?;
            Ok::<_, io::Error>((listener, local))
        };
        let listener = node.bind(address, bind).await.map_err(refused)?;
        let target = format!("tcp://{}", listener.local_addr().map_err(refused)?);
        let limits = Limits { max_message_bytes: config.max_message_size, ..Limits::default() };
        let options = ServeOptions { limits, ..ServeOptions::default() };
        let mux = MuxConfig { max_concurrent_streams: config.max_concurrent_streams, ..MuxConfig::default() };
        Ok(Listening { listener: Acceptor { tcp: listener, mux }, target, options })
    }
}

/// Accepts TCP connections.
#[derive(Debug)]
pub struct Acceptor {
    tcp: TcpListener,
    mux: MuxConfig,
}

impl Listener for Acceptor {
    type Connection = MuxConnection;

    async fn accept(&mut self) -> io::Result<Option<Handshake<MuxConnection>>> {
        let (tcp, remote) = self.tcp.accept().await?;
        let mux = self.mux.clone();
        // What takes a round trip is left to the handshake, so that a slow peer delays no other.
        Ok(Some(Box::pin(async move {
            tcp.set_nodelay(true).map_err(|error| Status::unavailable(error.to_string()))?;
            let connection = Mux::server(tcp, mux).await?;
            let caller = Caller::new("tcp").at(remote);
            Ok(Accepted::new(connection, caller))
        })))
    }
}
