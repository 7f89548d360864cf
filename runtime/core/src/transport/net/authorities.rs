use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::Status;

/// The certificate authorities of a PEM file.
pub(crate) struct Authorities {
    /// What it holds, at least one.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "iroh", feature = "quic", feature = "websocket-tls")),
        expect(dead_code, reason = "nothing speaks TLS")
    )]
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads the file.
    ///
    /// # Errors
    /// `InvalidArgument`, not processed, when it cannot be read, or holds no certificate: one without any would
    /// be accepted by most libraries, which would then trust no server.
    pub(crate) fn read(file: &Path) -> Result<Self, Status> {
        let name = file.display();
        let invalid = |problem: String| Status::invalid_argument(problem).not_processed();
        let pem = std::fs::read(file).map_err(|error| invalid(format!("CA file {name}: {error}")))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self { certificates }),
            Ok(_) => Err(invalid(format!("CA file {name} holds no certificate; expected PEM"))),
            Err(error) => Err(invalid(format!("CA file {name}: {error}; expected PEM"))),
        }
    }
}

/// What is to be said beside a failure of TLS that comes from an authority that is not trusted: another than those, or one of
/// the same name.
#[cfg_attr(
    not(any(feature = "grpc", feature = "quic", feature = "websocket-tls")),
    expect(dead_code, reason = "nothing speaks TLS")
)]
pub(crate) fn distrusted(failure: &str) -> Option<&'static str> {
    ["UnknownIssuer", "BadSignature"].iter().any(|reason| failure.contains(reason)).then_some(
        "no authority that is trusted here has signed the peer's certificate; expected a CA file (`--ca`) \
         of one that has, or `?key=NODE_ID` in the target where the peer shows its own key",
    )
}

/// What is to be said beside a failure of TLS towards a server whose key is pinned.
#[cfg(any(feature = "grpc", feature = "websocket-tls"))]
pub(crate) fn mispinned(failure: &str) -> Option<&'static str> {
    if failure.contains("ApplicationVerificationFailure") {
        return Some("the peer has another key than the one in the target");
    }
    // It has nothing that it could sign with as an Ed25519 key does.
    failure
        .contains("HandshakeFailure")
        .then_some("the peer's certificate is not of an Ed25519 key; expected a target without a key")
}
