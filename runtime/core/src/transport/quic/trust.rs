//! The verification of the server that a target names.

use std::sync::Arc;

use quinn::{crypto::rustls::QuicClientConfig, rustls::version::TLS13};

use super::{ALPN, Address, EarlyData, Identity, early::Trust};
use crate::{ConnectOptions, Status, transport::net::ServerTrust, watched::Stamp};

/// TLS towards this address.
pub(super) fn client(address: &Address, options: &ConnectOptions) -> Result<Arc<QuicClientConfig>, Status> {
    let Some(early_data) = options.get::<EarlyData>() else {
        return new_client(address, options, false).map(Arc::new);
    };
    let trust = Trust {
        key: address.key().copied(),
        ca_file: options.ca_file.clone().map(|file| (file.clone(), Stamp::of(&file))),
        secret_key: Identity::secret_key(options),
    };
    early_data.client(trust, || new_client(address, options, true))
}

fn new_client(
    address: &Address,
    options: &ConnectOptions,
    early_data: bool,
) -> Result<QuicClientConfig, Status> {
    let trust = ServerTrust {
        key: address.key().copied(),
        ca_file: options.ca_file.as_deref(),
        secret_key: Identity::secret_key(options),
        // A node without a certificate shows its key as it is.
        raw: address.key().is_some(),
        versions: &[&TLS13],
    };
    let mut config = trust.client(ALPN)?;
    config.enable_early_data = early_data;
    QuicClientConfig::try_from(config)
        .map_err(|error| Status::invalid_argument(format!("{address}: {error}")).not_processed())
}
