use std::{sync::Arc, time::Duration};

use ::iroh::{
    Endpoint, EndpointAddr,
    endpoint::{
        ConnectError, ConnectWithOptsError, ConnectingError, Connection, ConnectionError, TransportErrorCode,
    },
};

use super::{NAME, QuicProfile, alpn::ALPNS, connection::lost, known::Known};
use crate::{
    Status,
    sync::{Mutex, MutexGuard},
    transport::{
        ConnectionGauge,
        framed::{self, Batched},
    },
    truncated,
    wire::ConnectionCode,
};

/// How a peer is dialled.
pub(super) struct Dial {
    pub(super) endpoint: Endpoint,
    pub(super) address: Mutex<EndpointAddr>,
    pub(super) alpns: Vec<Vec<u8>>,
    pub(super) profile: QuicProfile,
    pub(super) timeout: Duration,
    pub(super) known: Known,
    pub(super) gauge: Option<Arc<dyn ConnectionGauge>>,
}

/// The TLS alert `no_application_protocol` (RFC 7301, section 3.2).
const NO_APPLICATION_PROTOCOL: u8 = 120;
/// The TLS alert `unknown_ca` (RFC 8446, section 6.2): to Iroh the id in the target is the only authority.
const UNKNOWN_CA: u8 = 48;

impl framed::Dial for Dial {
    type Connection = Batched<Connection>;

    fn transport(&self) -> &'static str {
        NAME
    }

    fn remote(&self) -> Option<String> {
        Some(format!("peer {}", self.address().id.fmt_short()))
    }

    fn gauge(&self) -> Option<Arc<dyn ConnectionGauge>> {
        self.gauge.clone()
    }

    async fn connect(&self) -> Result<Batched<Connection>, Status> {
        let address = self.address().clone();
        self.known.make_way(&address).await;
        let dialled = tokio::time::timeout(self.timeout, self.handshake(address.clone(), &self.alpns)).await;
        match dialled {
            Ok(Ok(connection)) => {
                self.known.add(&connection);
                Ok(Batched::new(connection))
            }
            Ok(Err(error)) if is_alpn_refusal(&error) => Err(self.no_common_alpn(address).await),
            Ok(Err(error)) => Err(failed(&address, &error)),
            Err(_) => {
                let id = address.id.fmt_short();
                Err(Status::unavailable(format!("peer {id} did not answer within {:?}", self.timeout))
                    .not_processed())
            }
        }
    }
}

impl Dial {
    /// What the peer's addresses are now, for the next dial. An id alone says nothing of them. Returns whether the peer is
    /// at none of those where it was.
    pub(super) fn learn(&self, address: EndpointAddr) -> bool {
        let mut known = self.address();
        if address.is_empty() {
            return false;
        }
        let has_moved = !known.is_empty() && known.addrs.is_disjoint(&address.addrs);
        *known = address;
        has_moved
    }

    fn address(&self) -> MutexGuard<'_, EndpointAddr> {
        self.address.lock()
    }

    async fn handshake(&self, address: EndpointAddr, alpns: &[Vec<u8>]) -> Result<Connection, ConnectError> {
        let (first, others) =
            alpns.split_first().map_or((&[][..], &[][..]), |(first, others)| (first, others));
        let options = self.profile.connect_options().with_additional_alpns(others.to_vec());
        Ok(self.endpoint.connect_with_opts(address, first, options).await?.await?)
    }

    /// What each side speaks. TLS says nothing of the peer's side, so the peer is asked.
    async fn no_common_alpn(&self, address: EndpointAddr) -> Status {
        let offered: Vec<_> = self.alpns.iter().map(|alpn| String::from_utf8_lossy(alpn)).collect();
        let accepted = tokio::time::timeout(self.timeout, self.ask(address.clone())).await.ok().flatten();
        let accepted = accepted.map(|accepted| truncated::reason(&accepted));
        let accepted = accepted.unwrap_or_else(|| "something else, and does not say what".to_owned());
        let id = address.id.fmt_short();
        Status::unimplemented(format!(
            "no common ALPN with peer {id}: this side offers {}, the peer accepts {accepted}",
            offered.join(" ")
        ))
        .not_processed()
    }

    async fn ask(&self, address: EndpointAddr) -> Option<String> {
        let connection = self.handshake(address, &[ALPNS.to_vec()]).await.ok()?;
        match connection.closed().await {
            ConnectionError::ApplicationClosed(close)
                if ConnectionCode::from_number(close.error_code.into_inner()) == ConnectionCode::Alpns =>
            {
                String::from_utf8(close.reason.to_vec()).ok()
            }
            _ => None,
        }
    }
}

fn failed(address: &EndpointAddr, error: &ConnectError) -> Status {
    let id = address.id.fmt_short();
    match error {
        ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. }
        | ConnectError::Connection { source, .. } => {
            let status = lost(source);
            let why = if has_ended_by(source, UNKNOWN_CA) {
                "the peer has another key than the one in the target"
            } else {
                status.message()
            };
            Status::new(status.code(), format!("peer {id}: {why}"))
                .with_source(source.clone())
                .not_processed()
        }
        ConnectError::Connect { source: ConnectWithOptsError::NoAddress { .. }, .. } => {
            Status::unavailable(format!("peer {id} has no known address, and no lookup knows one"))
                .not_processed()
        }
        other => Status::unavailable(format!("peer {id} cannot be dialled: {other}")).not_processed(),
    }
}

fn is_alpn_refusal(error: &ConnectError) -> bool {
    let (ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. }
    | ConnectError::Connection { source, .. }) = error
    else {
        return false;
    };
    has_ended_by(source, NO_APPLICATION_PROTOCOL)
}

/// Whether TLS has ended the handshake by this alert, of either side.
fn has_ended_by(error: &ConnectionError, alert: u8) -> bool {
    let alert = TransportErrorCode::crypto(alert);
    match error {
        ConnectionError::ConnectionClosed(close) => close.error_code == alert,
        ConnectionError::TransportError(error) => error.code == alert,
        _ => false,
    }
}
