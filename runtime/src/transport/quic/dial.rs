use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use quinn::{ClientConfig, ConnectionError, TransportErrorCode};

use super::{
    Address, Connection, EarlyData, QuicProfile, connection::lost, early::Handshake,
    endpoint::ClientEndpoints, trust,
};
use crate::{ConnectOptions, Status, net::distrusted};

/// How much later the next address of a host is tried while the one before has not answered
/// ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305#section-5), section 5).
const HEAD_START: Duration = Duration::from_millis(250);

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
    let found = resolve(address).await?;
    // Of several addresses, one counts as soon as it answers; early data are sent before that.
    let early = (options.get::<EarlyData>().is_some() && found.len() == 1).then_some(options.connect_timeout);
    let mut left = found.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        match left.next() {
            Some(remote) => attempts.push(attempt(endpoints, address, config.clone(), remote, early)),
            None if attempts.is_empty() => break,
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(connection) => return Ok(connection),
                Err(status) => failure = Some(status),
            },
            () = tokio::time::sleep(HEAD_START), if left.len() > 0 => {}
        }
    }
    Err(failure.unwrap_or_else(|| Status::unavailable(format!("{address}: the host has no address"))))
}

async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, Status> {
    match tokio::net::lookup_host((address.host(), address.port())).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(Status::unavailable(format!("{address}: the host was not found: {error}"))),
    }
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
