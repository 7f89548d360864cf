use std::{path::PathBuf, sync::Arc};

use rustls::ServerConfig;

use super::{
    PublicKey, TlsFiles, callers::Callers, live_certificate::LiveCertificate, node_key::NodeKey,
    tls::TlsError,
};
use crate::{
    transport::{BindContext, BindError},
    watched::Watched,
};

/// What the section of a transport says of TLS.
pub(crate) struct TlsSettings {
    /// The transport, whose section it is.
    pub(crate) transport: &'static str,
    /// `tls_cert`.
    pub(crate) certificate: Option<PathBuf>,
    /// `tls_key`.
    pub(crate) key: Option<PathBuf>,
    /// `client_ca`.
    pub(crate) client_ca: Option<PathBuf>,
}

/// TLS of a listener, and the identities of its clients.
pub(crate) struct ListenerTls {
    pub(crate) config: ServerConfig,
    pub(crate) callers: Arc<Callers>,
    /// The key that clients pin, where the listener shows the node's own.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "websocket-tls")),
        expect(dead_code, reason = "QUIC servers show the key raw")
    )]
    pub(crate) pin: Option<PublicKey>,
}

/// TLS for a listener of this protocol: with the configured certificate, or else a certificate of the node's key. Clients
/// are asked for a certificate, and may show none.
///
/// # Errors
/// One of `tls_cert` and `tls_key` is there without the other, or a file cannot be used.
pub(crate) fn listener_tls(
    settings: TlsSettings,
    node: &BindContext,
    alpn: &[u8],
) -> Result<ListenerTls, BindError> {
    let TlsSettings { transport, .. } = settings;
    let key = |name: &str| format!("transport.{transport}.{name}");
    let authorities =
        Vec::from_iter(settings.client_ca.into_iter().chain(node.cluster_ca().map(PathBuf::from)));
    let alone = |set: &str, other: &str| {
        BindError::setting(key(set), format!("is set; expected {} beside it", key(other)))
    };
    let refused = |error: TlsError| BindError::setting(format!("{} or tls_key", key("tls_cert")), error);
    let pair = settings.certificate.iter().chain(&settings.key);
    let watched = Watched::new(pair.chain(&authorities).cloned());
    let callers = Callers::new(&authorities)
        .map_err(|error| BindError::setting(format!("{} or cluster.ca", key("client_ca")), error))?;
    let (certificate, pin) = match (settings.certificate, settings.key) {
        (Some(_), None) => return Err(alone("tls_cert", "tls_key")),
        (None, Some(_)) => return Err(alone("tls_key", "tls_cert")),
        (Some(certificate_chain), Some(private_key)) => {
            let files = TlsFiles { certificate_chain, private_key, client_authorities: None };
            let certificate = Arc::new(LiveCertificate::read(files, callers).map_err(refused)?);
            node.certificates().keep(transport, certificate.clone(), watched);
            (certificate, None)
        }
        (None, None) => {
            let failed = |error| BindError::Other(format!("TLS with the node's key: {error}").into());
            let own = NodeKey::new(node.secret_key()).map_err(failed)?;
            let shown = own.certificate().map_err(failed)?;
            let certificate = Arc::new(LiveCertificate::of(shown, callers));
            if !certificate.files().is_empty() {
                node.certificates().keep(transport, certificate.clone(), watched);
            }
            (certificate, Some(own.public))
        }
    };
    let callers = certificate.callers().clone();
    Ok(ListenerTls { config: certificate.server_config(alpn), callers, pin })
}
