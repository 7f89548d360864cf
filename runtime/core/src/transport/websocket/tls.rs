//! TLS under WebSockets: `wss://`.

use std::{io, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Address, Config, NAME, dial::unreachable, pipe::Io};
use crate::{
    Caller, ConnectOptions, Status,
    transport::{
        BindContext, BindError,
        net::{
            self, Callers, ListenerTls, PublicKey, ServerTrust, TlsSettings, listener_tls, mispinned, refused,
        },
    },
};

/// Encrypts the connections of a listener.
#[derive(Clone)]
pub(super) struct Acceptor {
    tls: TlsAcceptor,
    callers: Arc<Callers>,
}

impl Acceptor {
    /// What the configuration encrypts with, and the key that callers pin; `None` where it does not encrypt.
    pub(super) fn of(
        config: &Config,
        node: &BindContext,
    ) -> Result<(Option<Self>, Option<PublicKey>), BindError> {
        if !config.tls_enabled && config.tls_cert.is_none() && config.tls_key.is_none() {
            return match config.client_ca {
                None => Ok((None, None)),
                Some(_) => {
                    let problem =
                        "is set; expected transport.websocket.tls_enabled = true, or tls_cert, beside it";
                    Err(BindError::setting("transport.websocket.client_ca", problem))
                }
            };
        }
        let settings = TlsSettings {
            transport: NAME,
            certificate: config.tls_cert.clone(),
            key: config.tls_key.clone(),
            client_ca: config.client_ca.clone(),
        };
        let ListenerTls { config, callers, pin } = listener_tls(settings, node, ALPN)?;
        Ok((Some(Self { tls: TlsAcceptor::from(Arc::new(config)), callers }), pin))
    }

    /// The connection, and its caller with the identity that it has proved.
    pub(super) async fn accept(
        &self,
        tcp: TcpStream,
        caller: Caller,
    ) -> io::Result<(impl Io + use<>, Caller)> {
        let encrypted = self.tls.accept(tcp).await?;
        let shown = encrypted.get_ref().1.peer_certificates().unwrap_or_default();
        let caller = self.callers.identify(caller, shown);
        Ok((encrypted, caller))
    }
}

/// What both sides agree on: a WebSocket begins as a request of HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// What is to be said of a handshake that failed.
pub(super) fn refusal(error: &io::Error) -> String {
    let told = error.to_string();
    match refused(&told) {
        Some(hint) => format!("{told} ({hint})"),
        None => told,
    }
}

/// What is to be said beside a failure that comes from the certificate of the server at this address.
pub(super) fn distrusted(address: &Address, failure: &str) -> Option<&'static str> {
    if address.key().is_some() { mispinned(failure) } else { net::distrusted(failure) }
}

/// Speaks TLS with the server of this address.
pub(super) async fn connect<T: Io>(
    address: &Address,
    io: T,
    options: &ConnectOptions,
) -> Result<impl Io + use<T>, Status> {
    let trust = ServerTrust {
        key: address.key().copied(),
        ca_file: options.ca_file.as_deref(),
        secret_key: options.secret_key,
        raw: false,
        versions: rustls::DEFAULT_VERSIONS,
    };
    let config = Arc::new(trust.client(ALPN)?);
    let name = ServerName::try_from(address.host().to_owned())
        .map_err(|error| Status::invalid_argument(format!("{address}: {error}")))?;
    let tls = TlsConnector::from(config).connect(name, io).await;
    tls.map_err(|error| unreachable(address, &error))
}
