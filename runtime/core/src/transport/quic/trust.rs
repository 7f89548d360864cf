//! The verification of the server that a target names.

use std::{path::Path, sync::Arc};

use quinn::{
    crypto::rustls::QuicClientConfig,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
        version::TLS13,
    },
};

use super::{ALPN, Address, EarlyData, Identity, PublicKey, early::Trust, identity::Shown, raw_key};
use crate::{ConnectOptions, Status, transport::net::Authorities, watched::Stamp};

/// TLS towards this address.
pub(super) fn client(address: &Address, options: &ConnectOptions) -> Result<Arc<QuicClientConfig>, Status> {
    let Some(early_data) = options.get::<EarlyData>() else {
        return new_client(address, options, false).map(Arc::new);
    };
    let trust = Trust {
        key: address.key().copied(),
        ca_file: options.ca_file.clone().map(|file| (file.clone(), Stamp::of(&file))),
        identity: options.get::<Identity>().map(Identity::public_key),
    };
    early_data.client(trust, || new_client(address, options, true))
}

fn new_client(
    address: &Address,
    options: &ConnectOptions,
    early_data: bool,
) -> Result<QuicClientConfig, Status> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |error: Error| invalid(format!("{address}: {error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .dangerous();
    let mut config = match address.key() {
        Some(key) => {
            let shown = Shown::of(options.get::<Identity>()).map_err(unusable)?;
            let verifier = Pinned { key: *key, algorithms: provider.signature_verification_algorithms };
            builder
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_client_cert_resolver(Arc::new(shown))
        }
        None => builder
            .with_custom_certificate_verifier(authorities(options.ca_file.as_deref(), provider)?)
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = early_data;
    QuicClientConfig::try_from(config).map_err(|error| invalid(format!("{address}: {error}")))
}

/// Trusts certificates that the authorities of this file have signed, or else those of the system.
fn authorities(
    file: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Status> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in Authorities::read(file)?.certificates {
                roots.add(certificate).map_err(|error| {
                    invalid(format!("CA file {}: {error}; expected certificates", file.display()))
                })?;
            }
        }
        // One of the system's that cannot be read is one authority fewer, which its servers' callers notice.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| {
        invalid(format!(
            "no certificate authority can be trusted: {error}; expected a CA file, or a key in the target"
        ))
    })
}

fn invalid(message: String) -> Status {
    Status::invalid_argument(message).not_processed()
}

/// Trusts the server that has this key, whatever its name.
#[derive(Debug)]
struct Pinned {
    key: PublicKey,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if PublicKey::shown(shown) == Some(self.key) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(raw_key::not_in_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        raw_key::verify(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![raw_key::SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
