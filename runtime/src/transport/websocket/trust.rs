//! Whom a caller takes for the server that its target names.

use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::Status;

/// TLS that trusts the authorities of this file, or else those of the system.
pub(super) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, Status> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            for certificate in read(file)? {
                roots.add(certificate).map_err(|error| unusable(file, &error))?;
            }
        }
        // One of the system's that cannot be read is one authority fewer, which its servers' callers notice.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Status::internal(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Status> {
    let pem = std::fs::read(file).map_err(|error| unusable(file, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(unusable(file, &"no certificate in it")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(file, &error)),
    }
}

fn unusable(file: &Path, problem: &dyn std::fmt::Display) -> Status {
    Status::invalid_argument(format!("CA file {}: {problem}; expected certificates in PEM", file.display()))
}
