use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{
    Address, Config, NAME,
    pipe::{Io, Pipe},
    upgrade::Gate,
};
use crate::{
    Caller, Limits, Status,
    transport::{
        BindContext, BindError,
        framed::{self, Accepted, Handshake, Listening, ServeOptions},
        mux::{Mux, MuxConfig, MuxConnection},
        net::{TlsFiles, reachable},
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
    tls: Option<TlsAcceptor>,
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
            let caller = Caller { transport: NAME, identity: None, address: Some(remote.to_string()) };
            let named =
                |status: Status| Status::new(status.code(), format!("{remote}: {}", status.message()));
            Ok(Accepted::new(opening.pass(tcp).await.map_err(named)?, caller))
        })))
    }
}

impl Opening {
    async fn pass(self, tcp: TcpStream) -> Result<MuxConnection, Status> {
        let broken = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Status::cancelled(error.to_string()),
            _ => Status::unavailable(error.to_string()),
        };
        // The multiplexer writes what is waited for; Nagle would hold it back for a round trip.
        tcp.set_nodelay(true).map_err(broken)?;
        match &self.tls {
            None => self.shake(tcp).await,
            Some(tls) => self.shake(tls.accept(tcp).await.map_err(broken)?).await,
        }
    }

    async fn shake(&self, io: impl Io) -> Result<MuxConnection, Status> {
        let socket = self.gate.upgrade(io).await?;
        Ok(Mux::server(Pipe::new(socket), self.mux.clone()).await?)
    }
}

pub(super) async fn listen(config: Config, node: &BindContext) -> Result<Listening<Listener>, BindError> {
    let tls = tls(&config, node)?;
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

/// What connections are encrypted with, where they are.
fn tls(config: &Config, node: &BindContext) -> Result<Option<TlsAcceptor>, BindError> {
    let alone = |key: &str, other: &str| {
        let problem = format!("is set alone; expected transport.websocket.{other} beside it");
        BindError::setting(format!("transport.websocket.{key}"), problem)
    };
    let (certificate_chain, private_key) = match (config.tls_cert.clone(), config.tls_key.clone()) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(alone("tls_cert", "tls_key")),
        (None, Some(_)) => return Err(alone("tls_key", "tls_cert")),
        (Some(certificate_chain), Some(private_key)) => (certificate_chain, private_key),
    };
    let files = TlsFiles { certificate_chain, private_key, client_authorities: None };
    let loaded = node.certificates().server_config(NAME, files, b"http/1.1");
    let loaded =
        loaded.map_err(|error| BindError::setting("transport.websocket.tls_cert or tls_key", error))?;
    Ok(Some(TlsAcceptor::from(Arc::new(loaded))))
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}
