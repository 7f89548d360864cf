use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;

use crate::Caller;

/// The connection that a request came on, found in the request's [`http::Extensions`].
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address that the client reached.
    pub local: SocketAddr,
    /// What the TLS handshake established; `None` on plain TCP.
    pub tls: Option<Arc<TlsInfo>>,
    /// The caller, once it was asked for.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "only gRPC asks"))]
    caller: Arc<OnceLock<Arc<Caller>>>,
}

impl ConnectionInfo {
    pub(super) fn new(remote: SocketAddr, local: SocketAddr, tls: Option<Arc<TlsInfo>>) -> Self {
        Self { remote, local, tls, caller: Arc::default() }
    }

    /// The caller at the other end of the connection: what this makes of it, once a connection.
    #[cfg(feature = "grpc")]
    pub(crate) fn caller(&self, make: impl FnOnce(&Self) -> Caller) -> Arc<Caller> {
        self.caller.get_or_init(|| Arc::new(make(self))).clone()
    }
}

/// What a TLS handshake established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// The client's verified certificate chain in DER, its own certificate first; empty when it showed none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
}

impl TlsInfo {
    pub(super) fn of(session: &ServerConnection) -> Self {
        let chain = session.peer_certificates().unwrap_or_default();
        Self {
            peer_certificates: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(),
            server_name: session.server_name().map(str::to_owned),
        }
    }
}
