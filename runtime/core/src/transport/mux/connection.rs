use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use super::{
    config::MuxConfig,
    driver::{self, Driven},
    error::MuxError,
    preface::{self, Settings},
    shared::MuxShared,
    stream::{MuxRecv, MuxSend, halves},
};
use crate::{
    Status,
    transport::{
        NetworkPath,
        framed::{Connection, StreamError},
    },
    wire::ConnectionCode,
};

/// Makes connections of pipes.
#[derive(Debug)]
pub struct Mux;

impl Mux {
    /// Greets the peer over a pipe that this side has dialled, and drives the connection in a task of its
    /// own from then on.
    ///
    /// # Errors
    /// When the peer is something else, speaks another version, does not greet in time, or the pipe breaks.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timer.
    ///
    /// # Cancel safety
    /// A dropped future drops the pipe.
    pub async fn client<T>(io: T, config: MuxConfig) -> Result<MuxConnection, MuxError>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        connect(io, config, true).await
    }

    /// As [`client`](Self::client), over a pipe that this side has accepted.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub async fn server<T>(io: T, config: MuxConfig) -> Result<MuxConnection, MuxError>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        connect(io, config, false).await
    }
}

async fn connect<T>(io: T, config: MuxConfig, is_client: bool) -> Result<MuxConnection, MuxError>
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, mut writer) = tokio::io::split(io);
    let greeting = preface::exchange(&mut reader, &mut writer, config.settings());
    let theirs = tokio::time::timeout(config.handshake_timeout, greeting)
        .await
        .unwrap_or(Err(MuxError::HandshakeTimeout(config.handshake_timeout)))?;
    Ok(start(reader, writer, theirs, config, is_client))
}

/// The connection with a peer that has been greeted.
pub(super) fn start<T>(
    reader: ReadHalf<T>,
    writer: WriteHalf<T>,
    theirs: Settings,
    config: MuxConfig,
    is_client: bool,
) -> MuxConnection
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let shared = Arc::new(MuxShared::new(is_client, config.settings(), theirs));
    tokio::spawn(driver::drive(reader, writer, Driven(shared.clone()), config));
    MuxConnection(Arc::new(Handle(shared)))
}

/// One end of a multiplexed connection. Clones are the same end; when the last is dropped, and the last of its
/// streams, the connection is closed with [`ConnectionCode::Closed`].
#[derive(Clone)]
pub struct MuxConnection(Arc<Handle>);

struct Handle(Arc<MuxShared>);

impl MuxConnection {
    /// Closes the connection. Its streams are lost at once, on this side; what was written before and the
    /// peer's windows let through still goes out, for up to a second. Of `reason` the peer is told the first
    /// 512 bytes. A connection that is over stays as it is.
    pub fn close(&self, code: ConnectionCode, reason: impl Into<String>) {
        self.shared().end(MuxError::Closed { code, reason: reason.into() });
    }

    /// Returns when the connection is over, and why.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) -> MuxError {
        let mut over = self.shared().over.subscribe();
        let over = over.wait_for(Option::is_some).await;
        // The sender is held by this side.
        over.ok().and_then(|over| over.clone()).unwrap_or(MuxError::NotDriven)
    }

    /// Why the connection is over; `None` while it is not.
    pub fn close_reason(&self) -> Option<MuxError> {
        self.shared().over.borrow().clone()
    }

    /// How long the peer took for its latest answer; `None` until the first. It is asked at the beginning and
    /// with every keep-alive.
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().with(|state| state.liveness.rtt)
    }

    pub(super) fn shared(&self) -> &Arc<MuxShared> {
        &self.0.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end(MuxError::Closed { code: ConnectionCode::Closed, reason: String::new() });
    }
}

impl Connection for MuxConnection {
    type Send = MuxSend;
    type Recv = MuxRecv;

    /// Waits while as many streams are open as the peer allows, first come, first served. The first bytes
    /// are taken whole then, whatever the windows: so nothing can be cancelled half way.
    async fn open(&self, first: Bytes, finish: bool) -> Result<(MuxSend, MuxRecv), StreamError> {
        let shared = self.shared();
        // An error says that the connection is over, and so does opening.
        if let Ok(slot) = shared.slots.acquire().await {
            slot.forget();
        }
        match shared.with(|state| state.open(first, finish)) {
            Ok(id) => Ok(halves(self, id)),
            Err(error) => Err(StreamError::Lost(Status::from(error).not_processed())),
        }
    }

    async fn accept(&self) -> Result<(MuxSend, MuxRecv), StreamError> {
        let shared = self.shared();
        loop {
            // Made before looking, so that what arrives in between is not missed.
            let arrival = shared.arrivals.notified();
            let next = shared.with(|state| match &state.over {
                Some(error) => Err(error.clone()),
                None => Ok(state.arrived.pop_front()),
            });
            if let Some(id) = next? {
                return Ok(halves(self, id));
            }
            arrival.await;
        }
    }

    fn close(&self, code: ConnectionCode, reason: &str) {
        Self::close(self, code, reason);
    }

    fn path(&self) -> Option<NetworkPath> {
        Some(NetworkPath { round_trip: self.rtt(), ..NetworkPath::default() })
    }
}

impl fmt::Debug for MuxConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxConnection").field("closed", &self.close_reason()).finish_non_exhaustive()
    }
}
