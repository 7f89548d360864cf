use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::{ClientConfig, ConnectionError, TransportErrorCode};

use super::{
    Address, Connection, EarlyData, QuicProfile, connection::lost, early::Handshake,
    endpoint::ClientEndpoints, trust,
};
use crate::{
    ConnectOptions, Status,
    transport::net::{self, distrusted},
};

/// The TLS alert `handshake_failure` (RFC 8446, section 6).
const HANDSHAKE_FAILURE: u8 = 40;
/// The TLS alert `access_denied`: what a key that is not the pinned one comes to.
const ACCESS_DENIED: u8 = 49;
/// The TLS alert `no_application_protocol` (RFC 7301, section 3.2).
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Makes a connection with whichever of the host's addresses answers first.
pub(super) async fn dial(
    endpoints: &ClientEndpoints,
    address: &Address,
    options: &ConnectOptions,
) -> Result<Connection, Status> {
    let mut config = ClientConfig::new(trust::client(address, options)?);
    let profile = options.get::<QuicProfile>().cloned().unwrap_or_default();
    config.transport_config(Arc::new(profile.transport_config()));
    let found = net::resolve_for(address.host(), address.port(), options.remote_only).await;
    let found = found.map_err(|error| {
        Status::unavailable(format!("{address}: the host was not found: {error}")).not_processed()
    })?;
    // Of several addresses, one counts as soon as it answers; early data are sent before that.
    let early = (options.get::<EarlyData>().is_some() && found.len() == 1).then_some(options.connect_timeout);
    let made = net::race(found, |remote| attempt(endpoints, address, config.clone(), remote, early)).await;
    made.map_err(|failures| {
        failures.last().unwrap_or_else(|| Status::unavailable(format!("{address}: the host has no address")))
    })
}

async fn attempt(
    endpoints: &ClientEndpoints,
    address: &Address,
    config: ClientConfig,
    remote: SocketAddr,
    early: Option<Duration>,
) -> Result<Connection, Status> {
    let unbound = |error| Status::unavailable(format!("{address}: no UDP socket for QUIC: {error}"));
    let endpoint = endpoints.toward(remote).map_err(unbound)?;
    let connecting = endpoint
        .dial(config, remote, address.host())
        .map_err(|error| Status::unavailable(format!("{address}: {error}")))?;
    let connecting = match early {
        None => connecting,
        Some(patience) => match connecting.into_0rtt() {
            Ok((quic, accepted)) => {
                let handshake = Handshake::new(quic.clone(), accepted);
                tokio::spawn(handshake.clone().within(patience));
                return Ok(Connection::dialled(quic, endpoint).early(handshake));
            }
            // Nothing is known of the server yet.
            Err(connecting) => connecting,
        },
    };
    match connecting.await {
        Ok(quic) => Ok(Connection::dialled(quic, endpoint)),
        Err(error) => Err(failed(address, &error)),
    }
}

/// Why a handshake failed, in words that say what to do about it where TLS's own do not.
fn failed(address: &Address, error: &ConnectionError) -> Status {
    let is = |alert| code(error) == Some(TransportErrorCode::crypto(alert));
    let why = if is(ACCESS_DENIED) && address.key().is_some() {
        "the peer has another key than the one in the target".to_owned()
    } else if is(HANDSHAKE_FAILURE) && address.key().is_some() {
        "the peer shows a certificate; expected a target without a key".to_owned()
    } else if is(HANDSHAKE_FAILURE) {
        "the peer shows a key and no certificate; expected `?key=` and its key in the target".to_owned()
    } else if is(NO_APPLICATION_PROTOCOL) {
        "the peer does not speak polywire/1".to_owned()
    } else if let Some(hint) = distrusted(&error.to_string()) {
        format!("{} ({hint})", lost(error).message())
    } else {
        lost(error).message().to_owned()
    };
    Status::new(lost(error).code(), format!("{address}: {why}")).with_source(error.clone()).not_processed()
}

fn code(error: &ConnectionError) -> Option<TransportErrorCode> {
    match error {
        ConnectionError::ConnectionClosed(close) => Some(close.error_code),
        ConnectionError::TransportError(error) => Some(error.code),
        _ => None,
    }
}
