use std::{
    fmt,
    future::{Future, poll_fn},
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{connection::MuxConnection, state::MuxState};
use crate::{
    Status,
    transport::framed::{RecvStream, SendStream, StreamError},
    wire::StreamCode,
};

/// The direction of a stream that is written. Dropped, it ends after what was written.
pub struct MuxSend {
    connection: MuxConnection,
    id: u64,
}

/// The direction of a stream that is read. Dropped before its end, it tells the peer that no more is wanted.
pub struct MuxRecv {
    connection: MuxConnection,
    id: u64,
}

/// Both halves of a stream that the state counts as held.
pub(super) fn halves(connection: &MuxConnection, id: u64) -> (MuxSend, MuxRecv) {
    let connection = || connection.clone();
    (MuxSend { connection: connection(), id }, MuxRecv { connection: connection(), id })
}

impl SendStream for MuxSend {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StreamError> {
        poll_fn(|task| self.connection.shared().with(|state| state.poll_write(self.id, &mut bytes, task)))
            .await
    }

    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        self.connection.shared().with(|state| state.write(self.id, bytes))
    }

    fn finish(&mut self) {
        self.connection.shared().with(|state| state.change(self.id, |stream| stream.outgoing.finish()));
    }

    fn reset(&mut self, code: StreamCode) {
        self.connection.shared().with(|state| state.change(self.id, |stream| stream.outgoing.reset(code)));
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let (shared, id) = (self.connection.shared().clone(), self.id);
        poll_fn(move |task| shared.with(|state| state.poll_stopped(id, task)))
    }
}

impl Drop for MuxSend {
    fn drop(&mut self) {
        self.connection.shared().with(|state| state.drop_send(self.id));
    }
}

impl RecvStream for MuxRecv {
    async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        poll_fn(|task| self.connection.shared().with(|state| state.poll_read(self.id, task))).await
    }

    fn stop(&mut self, code: StreamCode) {
        self.connection.shared().with(|state| {
            let unread = state.change(self.id, |stream| stream.incoming.stop(code));
            state.release(unread.unwrap_or(0));
        });
    }
}

impl Drop for MuxRecv {
    fn drop(&mut self) {
        self.connection.shared().with(|state| state.drop_recv(self.id));
    }
}

impl MuxState {
    fn poll_write(
        &mut self,
        id: u64,
        bytes: &mut Bytes,
        task: &Context<'_>,
    ) -> Poll<Result<(), StreamError>> {
        self.write(id, bytes)?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.change(id, |stream| stream.outgoing.wait_for_room(task));
        Poll::Pending
    }

    fn write(&mut self, id: u64, bytes: &mut Bytes) -> Result<(), StreamError> {
        if self.over.is_some() {
            return Err(self.loss(id));
        }
        // A half that is held has its stream.
        self.change(id, |stream| stream.outgoing.write(bytes)).unwrap_or(Ok(()))
    }

    fn poll_stopped(&mut self, id: u64, task: &Context<'_>) -> Poll<()> {
        if self.over.is_some() {
            return Poll::Ready(());
        }
        match self.streams.get_mut(&id) {
            Some(stream) if stream.outgoing.is_stopped() => Poll::Ready(()),
            Some(stream) => {
                stream.outgoing.wait_for_stop(task);
                Poll::Pending
            }
            // It has ended well.
            None => Poll::Pending,
        }
    }

    fn poll_read(&mut self, id: u64, task: &Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        match self.change(id, |stream| stream.incoming.read()).flatten() {
            Some(Ok(Some(chunk))) => {
                self.release(chunk.len());
                Poll::Ready(Ok(Some(chunk)))
            }
            Some(end) => Poll::Ready(end),
            None if self.over.is_some() => Poll::Ready(Err(self.loss(id))),
            None => {
                self.change(id, |stream| stream.incoming.wait(task));
                Poll::Pending
            }
        }
    }

    /// What the end of the connection means to a stream: of one that was never announced, the peer has seen
    /// nothing.
    fn loss(&self, id: u64) -> StreamError {
        let status =
            self.over.clone().map_or_else(|| Status::unavailable("the connection is over"), Status::from);
        let is_unseen = self.streams.get(&id).is_some_and(|stream| !stream.is_announced);
        StreamError::Lost(if is_unseen { status.not_processed() } else { status })
    }
}

impl fmt::Debug for MuxSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxSend").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for MuxRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxRecv").field("id", &self.id).finish_non_exhaustive()
    }
}
