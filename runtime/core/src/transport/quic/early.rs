use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use quinn::{ZeroRttAccepted, crypto::rustls::QuicClientConfig};

use super::{PublicKey, connection::lost};
use crate::{Status, sync::Mutex, transport::framed::StreamError, watched::Stamp, wire::ConnectionCode};

/// Lets unary calls of idempotent methods travel in the first packets to a server that has been spoken to
/// before (TLS early data, "0-RTT",
/// [RFC 9001, section 4.6](https://www.rfc-editor.org/rfc/rfc9001#section-4.6)): they cost one round trip where a
/// new connection costs two. It goes into [`ConnectOptions::with`](crate::ConnectOptions::with), and the server
/// must have [`zero_rtt`](super::Config::zero_rtt).
///
/// An attacker on the path can replay early data undetected. So calls of other methods, and streams, wait for the handshake
/// on this side, and a server passes early data to idempotent methods alone. A call that the server does not accept early is
/// retried after the handshake.
///
/// What servers give for it is kept here and works once: clones share it, and channels should. To a host with
/// several addresses nothing goes early, for the one that answers is not known yet.
#[derive(Clone, Default)]
pub struct EarlyData(Arc<Mutex<HashMap<Trust, Arc<QuicClientConfig>>>>);

/// What a server is trusted for, and who asks. What one server has given is of no use under other terms.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Trust {
    pub(super) key: Option<PublicKey>,
    /// With how it was when it was read: another file is another trust.
    pub(super) ca_file: Option<(PathBuf, Option<Stamp>)>,
    pub(super) secret_key: Option<[u8; 32]>,
}

/// How many different terms are remembered.
const MOST: usize = 256;

impl EarlyData {
    /// Nothing is known of any server yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// TLS on these terms: what was made before, with what servers have given, or made now.
    pub(super) fn client(
        &self,
        trust: Trust,
        make: impl FnOnce() -> Result<QuicClientConfig, Status>,
    ) -> Result<Arc<QuicClientConfig>, Status> {
        let mut known = self.0.lock();
        if let Some(client) = known.get(&trust) {
            return Ok(client.clone());
        }
        if known.len() >= MOST {
            known.clear();
        }
        let client = Arc::new(make()?);
        known.insert(trust, client.clone());
        Ok(client)
    }
}

impl fmt::Debug for EarlyData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyData").finish_non_exhaustive()
    }
}

/// A handshake that goes on while calls are made already.
#[derive(Clone)]
pub(super) struct Handshake {
    over: Shared<BoxFuture<'static, ()>>,
    quic: quinn::Connection,
}

impl Handshake {
    pub(super) fn new(quic: quinn::Connection, accepted: ZeroRttAccepted) -> Self {
        // Whether early data was taken is told to each stream.
        Self { over: accepted.map(drop).boxed().shared(), quic }
    }

    /// Whether it is still going on, as far as those who wait for its end know.
    pub(super) fn is_under_way(&self) -> bool {
        self.over.peek().is_none()
    }

    /// Returns once it has succeeded: the peer is there and alive, and nothing of this connection is a replay.
    ///
    /// # Errors
    /// When the connection was lost instead.
    pub(super) async fn succeeded(self) -> Result<(), StreamError> {
        self.over.await;
        match self.quic.close_reason() {
            None => Ok(()),
            Some(error) => Err(StreamError::Lost(lost(&error).not_processed())),
        }
    }

    /// Gives the connection up where it takes longer than this.
    pub(super) async fn within(self, patience: Duration) {
        if tokio::time::timeout(patience, self.over).await.is_err() {
            let code = quinn::VarInt::from_u32(ConnectionCode::Closed.number().into());
            self.quic.close(code, b"the handshake took too long");
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("under_way", &self.is_under_way()).finish_non_exhaustive()
    }
}
