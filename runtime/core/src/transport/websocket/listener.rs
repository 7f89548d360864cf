use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};

use super::{
    Address, Config, NAME,
    pipe::{Io, Pipe},
    tls::{self, Acceptor},
    upgrade::Gate,
};
use crate::{
    Caller, Limits, Status,
    transport::{
        BindContext, BindError,
        framed::{self, Accepted, Handshake, Listening, ServeOptions},
        mux::{Mux, MuxConfig, MuxConnection},
        net::reachable,
    },
};

/// Accepts WebSockets.
pub struct Listener {
    tcp: TcpListener,
    opening: Opening,
}

/// What a connection goes through before there are calls on it.
#[derive(Clone)]
struct Opening {
    tls: Option<Acceptor>,
    gate: Arc<Gate>,
    mux: MuxConfig,
}

impl framed::Listener for Listener {
    type Connection = MuxConnection;

    fn transport(&self) -> &'static str {
        NAME
    }

    async fn accept(&mut self) -> io::Result<Option<Handshake<MuxConnection>>> {
        let (tcp, remote) = self.tcp.accept().await?;
        let opening = self.opening.clone();
        Ok(Some(Box::pin(async move {
            let caller = Caller::new(NAME).at(remote);
            let named =
                |status: Status| Status::new(status.code(), format!("{remote}: {}", status.message()));
            let (connection, caller) = opening.pass(tcp, caller).await.map_err(named)?;
            Ok(Accepted::new(connection, caller))
        })))
    }
}

impl Opening {
    /// The connection, and its caller with the identity that it has proved.
    async fn pass(self, tcp: TcpStream, caller: Caller) -> Result<(MuxConnection, Caller), Status> {
        let broken = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Status::cancelled(error.to_string()),
            _ => Status::unavailable(tls::refusal(&error)),
        };
        // The multiplexer writes what is waited for; Nagle would hold it back for a round trip.
        tcp.set_nodelay(true).map_err(broken)?;
        let Some(tls) = &self.tls else { return Ok((self.shake(tcp).await?, caller)) };
        let (encrypted, caller) = tls.accept(tcp, caller).await.map_err(broken)?;
        Ok((self.shake(encrypted).await?, caller))
    }

    async fn shake(&self, io: impl Io) -> Result<MuxConnection, Status> {
        let socket = self.gate.upgrade(io).await?;
        Ok(Mux::server(Pipe::new(socket), self.mux.clone()).await?)
    }
}

pub(super) async fn listen(config: Config, node: &BindContext) -> Result<Listening<Listener>, BindError> {
    let (tls, pin) = Acceptor::of(&config, node)?;
    let key = "transport.websocket.bind_address";
    let refused = |error| BindError::listen(key, config.bind_address, error);
    let bind = |address: SocketAddr| async move {
        let tcp = TcpListener::bind(address).await?;
        let local = tcp.local_addr()?;
        Ok::<_, io::Error>((tcp, local))
    };
    let tcp = node.bind(config.bind_address, bind).await.map_err(refused)?;
    let local = reachable(tcp.local_addr().map_err(refused)?);
    let target = Address::parse(&format!("{local}{}", config.path), tls.is_some())
        .ok()
        .filter(|address| address.uri().path() == config.path)
        .map(|address| address.pinned(pin))
        .ok_or_else(|| {
            let problem =
                format!("{:?} is not a path of a URL; expected one such as \"/polywire\"", config.path);
            BindError::setting("transport.websocket.path", problem)
        })?;
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
    let gate = Arc::new(Gate { path: config.path, allowed_origins: config.allowed_origins });
    let listener = Listener { tcp, opening: Opening { tls, gate, mux } };
    Ok(Listening { listener, target: target.to_string(), options })
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}
