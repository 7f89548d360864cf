use std::{io, sync::Arc, time::Duration};

use quinn::{
    Endpoint, Incoming, ServerConfig,
    crypto::rustls::QuicServerConfig,
    rustls::{
        self,
        crypto::ring,
        pki_types::CertificateDer,
        server::AlwaysResolvesServerRawPublicKeys,
        version::TLS13,
    },
};

use super::{ALPN, Config, Connection, NAME, PublicKey, QuicProfile, identity::AnyKey, raw_key};
use crate::{
    Caller, Limits, Status,
    net::{TlsFiles, reachable},
    service::BoxFuture,
    transport::{
        BindContext, BindError,
        framed::{self, Accepted, Batched, Listening, ServeOptions},
    },
};

/// Accepts QUIC connections.
#[derive(Debug)]
pub struct Listener(Endpoint);

pub(super) async fn listen(config: Config, node: BindContext) -> Result<Listening<Listener>, BindError> {
    let profile = profile(&config)?;
    let (tls, key) = tls(&config, &node)?;
    let tls = QuicServerConfig::try_from(tls)
        .map_err(|error| BindError::setting("transport.quic.tls_cert or tls_key", error))?;
    let mut quic = ServerConfig::with_crypto(Arc::new(tls));
    quic.transport_config(Arc::new(profile.transport_config()));
    let refused = |source| BindError::listen("transport.quic.bind_address", config.bind_address, source);
    let endpoint = Endpoint::server(quic, config.bind_address).map_err(refused)?;
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
    Ok(Listening { listener: Listener(endpoint), target, options })
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
            let tls = files.server_config(ALPN);
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
    type Handshake = BoxFuture<Result<Accepted<Batched<Connection>>, Status>>;

    async fn accept(&mut self) -> io::Result<Option<Self::Handshake>> {
        Ok(self.0.accept().await.map(|incoming| Box::pin(shake(incoming)) as Self::Handshake))
    }

    async fn close(self) {
        // A peer that cannot be told learns it from the silence.
        let _ = tokio::time::timeout(GOODBYE, self.0.wait_idle()).await;
    }
}

/// How long peers that do not answer may hold up the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// An attempt that is dropped before is refused by quinn.
async fn shake(incoming: Incoming) -> Result<Accepted<Batched<Connection>>, Status> {
    let failed = |error| Status::unavailable(format!("{error}"));
    let quic = incoming.accept().map_err(failed)?.await.map_err(failed)?;
    let caller = caller(&quic);
    Ok(Accepted::new(Batched::new(Connection::accepted(quic)), caller))
}

/// Who is at the other end of a connection.
fn caller(quic: &quinn::Connection) -> Caller {
    let shown = quic.peer_identity().and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
    let key = shown.as_deref().and_then(|shown| PublicKey::shown(shown.first()?));
    let address = Some(quic.remote_address().to_string());
    Caller { transport: NAME, identity: key.map(|key| key.to_string()), address }
}
