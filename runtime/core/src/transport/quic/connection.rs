use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt as _};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};

use super::{early::Handshake, endpoint::ClientEndpoint};
use crate::{
    Status,
    sync::Mutex,
    transport::{
        NetworkPath,
        framed::{self, Proof, StreamError},
    },
    truncated,
    wire::{ConnectionCode, StreamCode},
};

/// A QUIC connection that carries calls.
#[derive(Debug)]
pub struct Connection {
    quic: quinn::Connection,
    /// Kept for further dials while there is a connection; `None` on the listening side.
    endpoint: Option<Arc<ClientEndpoint>>,
    /// Where calls need not wait for its end.
    handshake: Option<Handshake>,
    /// A stream that was taken before the connection was made.
    first: Mutex<Option<(SendStream, RecvStream)>>,
}

impl Connection {
    pub(super) fn accepted(quic: quinn::Connection) -> Self {
        Self { quic, endpoint: None, handshake: None, first: Mutex::default() }
    }

    pub(super) fn dialled(quic: quinn::Connection, endpoint: Arc<ClientEndpoint>) -> Self {
        Self { endpoint: Some(endpoint), ..Self::accepted(quic) }
    }

    /// The same, while its handshake goes on.
    pub(super) fn early(mut self, handshake: Handshake) -> Self {
        self.handshake = Some(handshake);
        self
    }

    /// The same, with this stream to be accepted before all others.
    pub(super) fn beginning_with(mut self, first: (SendStream, RecvStream)) -> Self {
        self.first = Mutex::new(Some(first));
        self
    }

    fn take_first(&self) -> Option<(SendStream, RecvStream)> {
        // Only where there may be one: other connections are spared the lock.
        self.handshake.as_ref()?;
        self.first.lock().take()
    }
}

/// The direction of a QUIC stream that is read.
#[derive(Debug)]
pub struct Recv {
    quic: RecvStream,
    /// Where it arrived as early data.
    handshake: Option<Handshake>,
}

impl framed::Connection for Connection {
    type Send = SendStream;
    type Recv = Recv;

    async fn open(&self, first: Bytes, finish: bool) -> Result<(SendStream, Recv), StreamError> {
        let opened = self.quic.open_bi().await;
        let (mut send, recv) = opened.map_err(|error| StreamError::Lost(lost(&error).not_processed()))?;
        let mut opening = Opening { send: &mut send, done: false };
        match opening.send.write_chunk(first).await {
            // Ending it in the same breath puts the end into the packet of the bytes.
            Ok(()) if finish => framed::SendStream::finish(opening.send),
            Ok(()) | Err(WriteError::Stopped(_)) => {}
            Err(error) => return Err(write_error(error)),
        }
        opening.done = true;
        drop(opening);
        Ok((send, Recv { quic: recv, handshake: None }))
    }

    async fn accept(&self) -> Result<(SendStream, Recv), StreamError> {
        let (send, recv) = match self.take_first() {
            Some(first) => first,
            None => self.quic.accept_bi().await.map_err(|error| StreamError::Lost(lost(&error)))?,
        };
        let handshake = if recv.is_0rtt() { self.handshake.clone() } else { None };
        Ok((send, Recv { quic: recv, handshake }))
    }

    fn close(&self, code: ConnectionCode, reason: &str) {
        self.quic.close(VarInt::from_u32(code.number().into()), reason.as_bytes());
    }

    async fn closed(&self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.idle().await;
        }
    }

    fn early(&self) -> Option<Proof> {
        let handshake = self.handshake.as_ref().filter(|handshake| handshake.is_under_way())?;
        Some(Box::pin(handshake.clone().succeeded()))
    }

    fn path(&self) -> Option<NetworkPath> {
        Some(NetworkPath::direct(self.quic.remote_address().to_string()).taking(self.quic.rtt()))
    }
}

impl framed::SendStream for SendStream {
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send {
        self.write_chunk(bytes).map_err(write_error)
    }

    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            match self.write_chunks(std::slice::from_mut(bytes)).now_or_never() {
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

impl framed::RecvStream for Recv {
    async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        let chunk = self.quic.read_chunk(usize::MAX, true).await.map_err(|error| match error {
            ReadError::Reset(code) => StreamError::Reset(StreamCode::from_number(code.into_inner())),
            ReadError::ConnectionLost(error) => StreamError::Lost(lost(&error)),
            ReadError::ClosedStream | ReadError::IllegalOrderedRead => {
                StreamError::Lost(Status::internal("the stream was read past its end"))
            }
            ReadError::ZeroRttRejected => StreamError::Lost(early_data_rejected()),
        })?;
        Ok(chunk.map(|chunk| chunk.bytes))
    }

    fn stop(&mut self, code: StreamCode) {
        // An error says that it is over already.
        let _ = self.quic.stop(number(code));
    }

    fn early(&self) -> Option<Proof> {
        Some(Box::pin(self.handshake.clone()?.succeeded()))
    }
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
