use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::ConnectionInfo;
use crate::Drain;

/// What is spoken on a connection.
pub(super) trait Protocol: Clone + Send + 'static {
    /// What it is called in the log.
    const NAME: &'static str;

    /// Reads what a client must say first, and returns the IO as if nothing had been read.
    ///
    /// The caller bounds its time; cancelling it gives the connection up.
    fn open<Io: Transport>(io: Io) -> impl Future<Output = io::Result<impl Transport>> + Send;

    /// Serves an opened connection until it and its handlers have ended: in its own time, early when `drain`
    /// is stopped, at once when it is cut.
    fn serve<Io: Transport>(
        self,
        io: Io,
        info: ConnectionInfo,
        drain: &Drain,
    ) -> impl Future<Output = ()> + Send;
}

/// A byte stream, encrypted or not.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for Io {}
