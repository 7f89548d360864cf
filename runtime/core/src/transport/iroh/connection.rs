use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt as _};

use ::iroh::{
    TransportAddr,
    endpoint::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError},
};

use crate::{
    Status,
    transport::{
        NetworkPath,
        framed::{self, StreamError},
    },
    truncated,
    wire::{ConnectionCode, StreamCode},
};

impl framed::Connection for Connection {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open(&self, first: Bytes, finish: bool) -> Result<(SendStream, RecvStream), StreamError> {
        let (mut send, recv) =
            self.open_bi().await.map_err(|error| StreamError::Lost(lost(&error).not_processed()))?;
        let mut opening = Opening { send: &mut send, done: false };
        match opening.send.write_chunk(first).await {
            // Ending it in the same breath puts the end into the packet of the bytes.
            Ok(()) if finish => framed::SendStream::finish(opening.send),
            Ok(()) | Err(WriteError::Stopped(_)) => {}
            Err(error) => return Err(write_error(error)),
        }
        opening.done = true;
        drop(opening);
        Ok((send, recv))
    }

    async fn accept(&self) -> Result<(SendStream, RecvStream), StreamError> {
        self.accept_bi().await.map_err(|error| StreamError::Lost(lost(&error)))
    }

    fn close(&self, code: ConnectionCode, reason: &str) {
        Self::close(self, VarInt::from_u32(code.number().into()), reason.as_bytes());
    }

    fn path(&self) -> Option<NetworkPath> {
        let paths = self.paths();
        let path = paths.iter().find(|path| path.is_selected())?;
        let way = match path.remote_addr() {
            TransportAddr::Ip(address) => NetworkPath::direct(address.to_string()),
            TransportAddr::Relay(relay) => NetworkPath::relayed(relay.to_string()),
            other => NetworkPath::direct(format!("{other:?}")),
        };
        Some(way.taking(path.rtt()))
    }
}

impl framed::SendStream for SendStream {
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send {
        self.write_chunk(bytes).map_err(write_error)
    }

    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        let mut left = std::slice::from_mut(bytes);
        while !left.is_empty() {
            match self.write_many_chunks(&mut left).now_or_never() {
                Some(written) => written.map_err(write_error)?,
                None => break,
            };
        }
        Ok(())
    }

    fn finish(&mut self) {
        // An error says that the peer has stopped it, which its reader learns in its own way.
        let _ = Self::finish(self);
    }

    fn reset(&mut self, code: StreamCode) {
        // An error says that it is over already.
        let _ = Self::reset(self, number(code));
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let stopped = Self::stopped(self);
        async move {
            if let Ok(None) = stopped.await {
                // The direction ended well, and the peer has all of it.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl framed::RecvStream for RecvStream {
    async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        self.read_chunk(usize::MAX).await.map_err(|error| match error {
            ReadError::Reset(code) => StreamError::Reset(StreamCode::from_number(code.into_inner())),
            ReadError::ConnectionLost(error) => StreamError::Lost(lost(&error)),
            ReadError::ClosedStream => {
                StreamError::Lost(Status::internal("the stream was read past its end"))
            }
            ReadError::ZeroRttRejected => StreamError::Lost(early_data_rejected()),
        })
    }

    fn stop(&mut self, code: StreamCode) {
        // An error says that it is over already.
        let _ = Self::stop(self, number(code));
    }
}

/// The address that packets to the peer go to, where that is a path of this connection.
pub(super) fn selected(connection: &Connection) -> Option<TransportAddr> {
    let paths = connection.paths();
    paths.iter().find(|path| path.is_selected()).map(|path| path.remote_addr().clone())
}

/// What the loss of a connection means to its calls.
pub(super) fn lost(error: &ConnectionError) -> Status {
    let ConnectionError::ApplicationClosed(close) = error else {
        let reason = truncated::reason(error);
        return Status::unavailable(format!("the connection was lost: {reason}")).with_source(error.clone());
    };
    let code = ConnectionCode::from_number(close.error_code.into_inner());
    Status::from(code).with_source(error.clone())
}

fn write_error(error: WriteError) -> StreamError {
    match error {
        WriteError::Stopped(code) => StreamError::Stopped(StreamCode::from_number(code.into_inner())),
        WriteError::ConnectionLost(error) => StreamError::Lost(lost(&error)),
        WriteError::ClosedStream => {
            StreamError::Lost(Status::internal("the stream was written past its end"))
        }
        WriteError::ZeroRttRejected => StreamError::Lost(early_data_rejected()),
    }
}

fn early_data_rejected() -> Status {
    Status::unavailable("the peer rejected early data").not_processed()
}

fn number(code: StreamCode) -> VarInt {
    VarInt::from_u32(code.number().into())
}

/// A stream whose first write is under way. Merely dropping it would look like its end to the peer.
struct Opening<'a> {
    send: &'a mut SendStream,
    done: bool,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.done {
            framed::SendStream::reset(self.send, StreamCode::Cancelled);
        }
    }
}
