use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;

/// The connection that a request came on, found in the request's [`http::Extensions`].
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address that the client reached.
    pub local: SocketAddr,
    /// What the TLS handshake established; `None` on plain TCP.
    pub tls: Option<Arc<TlsInfo>>,
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
