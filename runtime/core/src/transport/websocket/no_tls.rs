//! A build without TLS under WebSockets, which refuses what would need it.

use std::io;

use tokio::net::TcpStream;

use super::{Address, Config, pipe::Io};
use crate::{
    Caller, ConnectOptions, Status,
    transport::{BindContext, BindError, net::PublicKey},
};

/// There is none.
#[derive(Clone)]
pub(super) enum Acceptor {}

const MISSING: &str =
    "needs TLS, and this build has none for WebSockets; expected the feature `websocket-tls`";

impl Acceptor {
    /// Refuses a configuration that encrypts.
    pub(super) fn of(
        config: &Config,
        _: &BindContext,
    ) -> Result<(Option<Self>, Option<PublicKey>), BindError> {
        let set = [
            ("tls_enabled", config.tls_enabled),
            ("tls_cert", config.tls_cert.is_some()),
            ("tls_key", config.tls_key.is_some()),
            ("client_ca", config.client_ca.is_some()),
        ];
        match set.into_iter().find(|(_, set)| *set) {
            Some((key, _)) => Err(BindError::setting(format!("transport.websocket.{key}"), MISSING)),
            None => Ok((None, None)),
        }
    }

    pub(super) async fn accept(&self, _: TcpStream, _: Caller) -> io::Result<(TcpStream, Caller)> {
        match *self {}
    }
}

/// Refuses the target.
pub(super) async fn connect<T: Io>(address: &Address, _: T, _: &ConnectOptions) -> Result<T, Status> {
    Err(Status::invalid_argument(format!("{address} {MISSING}")).not_processed())
}

/// No failure comes from a certificate.
pub(super) fn distrusted(_: &Address, _: &str) -> Option<&'static str> {
    None
}

/// What is to be said of a handshake that failed.
pub(super) fn refusal(error: &io::Error) -> String {
    error.to_string()
}
