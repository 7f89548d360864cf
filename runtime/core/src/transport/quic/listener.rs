use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{
    Endpoint, Incoming, ServerConfig, TokioRuntime,
    crypto::rustls::QuicServerConfig,
    rustls::{
        self,
        crypto::ring,
        pki_types::CertificateDer,
        server::{AlwaysResolvesServerRawPublicKeys, ServerSessionMemoryCache},
        version::TLS13,
    },
};

use super::{
    ALPN, Config, Connection, NAME, PublicKey, QuicProfile, early::Handshake, identity::AnyKey, raw_key,
    restart,
};
use crate::{
    Caller, Limits, Status,
    transport::{
        BindContext, BindError,
        framed::{self, Accepted, Batched, Listening, ServeOptions},
        net::{TlsFiles, reachable},
    },
};

/// Accepts QUIC connections.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    zero_rtt: bool,
}

/// Must be called within a runtime.
pub(super) async fn listen(config: Config, node: BindContext) -> Result<Listening<Listener>, BindError> {
    let profile = profile(&config)?;
    let (mut tls, key) = tls(&config, &node)?;
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
    Ok(Listening { listener: Listener { endpoint, zero_rtt: config.zero_rtt }, target, options })
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
fn tls(config: &Config, node: &BindContext) -> Result<(rustls::ServerConfig, Option<PublicKey>), BindError> {
    match (config.tls_cert.clone(), config.tls_key.clone()) {
        (Some(certificate_chain), Some(private_key)) => {
            let files = TlsFiles { certificate_chain, private_key, client_authorities: None };
            let tls = node.certificates().server_config(NAME, files, ALPN);
            let unusable = |error| BindError::setting("transport.quic.tls_cert or tls_key", error);
            Ok((tls.map_err(unusable)?, None))
        }
        (None, None) => {
            let (key, tls) = with_raw_key(node.secret_key())
                .map_err(|error| BindError::Other(format!("QUIC under the node's key: {error}").into()))?;
            Ok((tls, Some(key)))
        }
        (Some(_), None) => {
            let problem = "is set; expected transport.quic.tls_key beside it";
            Err(BindError::setting("transport.quic.tls_cert", problem))
        }
        (None, Some(_)) => {
            let problem = "is set; expected transport.quic.tls_cert beside it";
            Err(BindError::setting("transport.quic.tls_key", problem))
        }
    }
}

fn with_raw_key(secret_key: &[u8; 32]) -> Result<(PublicKey, rustls::ServerConfig), rustls::Error> {
    let (key, certified) = raw_key::certified(secret_key)?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKey::new()))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    Ok((key, tls))
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
        Ok(Some(if self.zero_rtt { Box::pin(shake_early(incoming)) } else { Box::pin(shake(incoming)) }))
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
async fn shake(incoming: Incoming) -> Result<Accepted<Batched<Connection>>, Status> {
    let remote = incoming.remote_address();
    let failed = |error| Status::unavailable(format!("{remote}: {error}"));
    let quic = incoming.accept().map_err(failed)?.await.map_err(failed)?;
    let caller = caller(&quic);
    Ok(Accepted::new(Batched::new(Connection::accepted(quic)), caller))
}

/// As [`shake`], and over as soon as a stream arrives. What TLS knows of the peer is known by then too: the
/// session that early data belong to says it.
async fn shake_early(incoming: Incoming) -> Result<Accepted<Batched<Connection>>, Status> {
    let remote = incoming.remote_address();
    let failed = |error| Status::unavailable(format!("{remote}: {error}"));
    let (quic, accepted) = match incoming.accept().map_err(failed)?.into_0rtt() {
        Ok(early) => early,
        Err(connecting) => {
            let quic = connecting.await.map_err(failed)?;
            let caller = caller(&quic);
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
    let caller = caller(&quic);
    Ok(Accepted::new(Batched::new(connection), caller))
}

/// The caller at the other end of a connection.
fn caller(quic: &quinn::Connection) -> Caller {
    let shown = quic.peer_identity().and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
    let key = shown.as_deref().and_then(|shown| PublicKey::shown(shown.first()?));
    let address = Some(quic.remote_address().to_string());
    Caller { transport: NAME, identity: key.map(|key| key.to_string()), address }
}
