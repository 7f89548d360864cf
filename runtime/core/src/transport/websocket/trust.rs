//! The verification of the server that a target names.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{Status, transport::net::Authorities};

/// TLS that trusts the authorities of this file, or else those of the system.
pub(super) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, Status> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            for certificate in Authorities::read(file)?.certificates {
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

fn unusable(file: &Path, problem: &dyn std::fmt::Display) -> Status {
    Status::invalid_argument(format!("CA file {}: {problem}; expected certificates in PEM", file.display()))
}
