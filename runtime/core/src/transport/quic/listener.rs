use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{
    Endpoint, Incoming, ServerConfig, TokioRuntime,
    crypto::rustls::QuicServerConfig,
    rustls::{self, pki_types::CertificateDer, server::ServerSessionMemoryCache},
};

use super::{ALPN, Config, Connection, NAME, PublicKey, QuicProfile, early::Handshake, restart};
use crate::{
    Caller, Limits, Status,
    transport::{
        BindContext, BindError,
        framed::{self, Accepted, Batched, Listening, ServeOptions},
        net::{Callers, TlsSettings, listener_tls, raw_identity, raw_key_tls, reachable, refused},
    },
};

/// Accepts QUIC connections.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    zero_rtt: bool,
    clients: Clients,
}

/// Must be called within a runtime.
pub(super) async fn listen(config: Config, node: BindContext) -> Result<Listening<Listener>, BindError> {
    let profile = profile(&config)?;
    let (mut tls, clients, key) = tls(&config, &node)?;
    if config.zero_rtt {
        // QUIC's own flow control bounds early data, so this must say either nothing or everything (RFC 9001,
        // section 4.6.1).
        tls.max_early_data_size = u32::MAX;
        tls.session_storage = ServerSessionMemoryCache::new(TICKETS * config.max_connections as usize);
    }
    let tls = QuicServerConfig::try_from(tls)
        .map_err(|error| BindError::setting("transport.quic.tls_cert or tls_key", error))?;
    let mut quic = ServerConfig::with_crypto(Arc::new(tls));
    quic.transport_config(Arc::new(profile.transport_config()));
    let refused = |source| BindError::listen("transport.quic.bind_address", config.bind_address, source);
    let bind = |address: SocketAddr| {
        let bound = UdpSocket::bind(address).and_then(|socket| {
            let own = restart::endpoint_config(node.secret_key());
            Endpoint::new(own, Some(quic.clone()), socket, Arc::new(TokioRuntime))
        });
        std::future::ready(bound.and_then(|endpoint| {
            let local = endpoint.local_addr()?;
            Ok((endpoint, local))
        }))
    };
    let endpoint = node.bind(config.bind_address, bind).await.map_err(refused)?;
    let address = reachable(endpoint.local_addr().map_err(refused)?);
    let target = match key {
        Some(key) => format!("quic://{address}?key={key}"),
        None => format!("quic://{address}"),
    };
    let limits = Limits {
        max_message_bytes: config.max_message_size,
        message_timeout: config.message_timeout,
        ..Limits::default()
    };
    let options = ServeOptions {
        limits,
        max_connections: config.max_connections as usize,
        handshake_timeout: config.handshake_timeout,
        ..ServeOptions::default()
    };
    let listener = Listener { endpoint, zero_rtt: config.zero_rtt, clients };
    Ok(Listening { listener, target, options })
}

fn profile(config: &Config) -> Result<QuicProfile, BindError> {
    if config.keep_alive_interval >= config.idle_timeout {
        let problem = format!(
            "is {:?}; expected less than transport.quic.idle_timeout, which is {:?}",
            config.keep_alive_interval, config.idle_timeout
        );
        return Err(BindError::setting("transport.quic.keep_alive_interval", problem));
    }
    Ok(QuicProfile {
        max_concurrent_streams: config.max_concurrent_streams,
        idle_timeout: config.idle_timeout,
        keep_alive_interval: config.keep_alive_interval,
    })
}

/// TLS, and the key that callers pin where no certificate is configured.
fn tls(
    config: &Config,
    node: &BindContext,
) -> Result<(rustls::ServerConfig, Clients, Option<PublicKey>), BindError> {
    if config.tls_cert.is_none() && config.tls_key.is_none() {
        if config.client_ca.is_some() {
            let problem = "is set; expected transport.quic.tls_cert beside it: callers of a node that shows its raw key \
                           show theirs";
            return Err(BindError::setting("transport.quic.client_ca", problem));
        }
        let (key, tls) = raw_key_tls(node.secret_key(), ALPN)
            .map_err(|error| BindError::Other(format!("QUIC under the node's key: {error}").into()))?;
        return Ok((tls, Clients::RawKeys, Some(key)));
    }
    let settings = TlsSettings {
        transport: NAME,
        certificate: config.tls_cert.clone(),
        key: config.tls_key.clone(),
        client_ca: config.client_ca.clone(),
    };
    let tls = listener_tls(settings, node, ALPN)?;
    Ok((tls.config, Clients::Certificates(tls.callers), None))
}

/// What callers prove their identity by.
#[derive(Clone, Debug)]
enum Clients {
    RawKeys,
    Certificates(Arc<Callers>),
}

impl Clients {
    /// The caller at the other end of a connection.
    fn caller(&self, quic: &quinn::Connection) -> Caller {
        let shown =
            quic.peer_identity().and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
        let caller = Caller::new(NAME).at(quic.remote_address());
        let Some(shown) = shown else { return caller };
        match self {
            Self::RawKeys => match raw_identity(&shown) {
                Some(identity) => caller.with_identity(identity),
                None => caller,
            },
            Self::Certificates(callers) => callers.identify(caller, &shown),
        }
    }
}

impl framed::Listener for Listener {
    type Connection = Batched<Connection>;

    fn transport(&self) -> &'static str {
        NAME
    }

    fn takes_descriptors(&self) -> bool {
        false
    }

    async fn accept(&mut self) -> io::Result<Option<framed::Handshake<Self::Connection>>> {
        let Some(incoming) = self.endpoint.accept().await else { return Ok(None) };
        let clients = self.clients.clone();
        Ok(Some(match self.zero_rtt {
            true => Box::pin(shake_early(incoming, clients)),
            false => Box::pin(shake(incoming, clients)),
        }))
    }

    fn alpns(&self) -> Vec<String> {
        vec![String::from_utf8_lossy(ALPN).into_owned()]
    }

    async fn close(self) {
        // A peer that cannot be told learns it from the silence.
        let _ = tokio::time::timeout(GOODBYE, self.endpoint.wait_idle()).await;
    }
}

/// How many sessions are remembered for each connection: rustls gives as many tickets, and each works once.
const TICKETS: usize = 2;

/// How long peers that do not answer may hold up the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// An attempt that is dropped before is refused by quinn.
async fn shake(incoming: Incoming, clients: Clients) -> Result<Accepted<Batched<Connection>>, Status> {
    let remote = incoming.remote_address();
    let failed = |error| failed(remote, &error);
    let quic = incoming.accept().map_err(failed)?.await.map_err(failed)?;
    let caller = clients.caller(&quic);
    Ok(Accepted::new(Batched::new(Connection::accepted(quic)), caller))
}

/// Why an attempt comes to nothing.
fn failed(remote: SocketAddr, error: &quinn::ConnectionError) -> Status {
    let told = error.to_string();
    Status::unavailable(match refused(&told) {
        Some(hint) => format!("{remote}: {told} ({hint})"),
        None => format!("{remote}: {told}"),
    })
}

/// As [`shake`], and over as soon as a stream arrives. What TLS knows of the peer is known by then too: the
/// session that early data belong to says it.
async fn shake_early(incoming: Incoming, clients: Clients) -> Result<Accepted<Batched<Connection>>, Status> {
    let remote = incoming.remote_address();
    let failed = |error| failed(remote, &error);
    let (quic, accepted) = match incoming.accept().map_err(failed)?.into_0rtt() {
        Ok(early) => early,
        Err(connecting) => {
            let quic = connecting.await.map_err(failed)?;
            let caller = clients.caller(&quic);
            return Ok(Accepted::new(Batched::new(Connection::accepted(quic)), caller));
        }
    };
    let handshake = Handshake::new(quic.clone(), accepted);
    let mut connection = Connection::accepted(quic.clone());
    tokio::select! {
        biased;
        over = handshake.clone().succeeded() => over?,
        first = quic.accept_bi() => {
            connection = connection.early(handshake).beginning_with(first.map_err(failed)?);
        }
    }
    let caller = clients.caller(&quic);
    Ok(Accepted::new(Batched::new(connection), caller))
}
