//! Both ends of a connection within the process. Its streams do what QUIC's do (RFC 9000, sections 2 and 3):
//! a window holds a writer back, a reset throws away what was not read, a stopped writer learns that it was
//! stopped, and a direction that is merely dropped ends cleanly.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

use super::{Connection, RecvStream, SendStream, StreamError};
use crate::{
    Status,
    sync::Mutex,
    wire::{ConnectionCode, StreamCode},
};

/// How many bytes wait in one direction before its writer does.
pub(super) const WINDOW: usize = 64 << 10;

/// One end of a connection.
pub(super) struct MemoryConnection {
    accepted: AsyncMutex<mpsc::UnboundedReceiver<Streams>>,
    opened: mpsc::UnboundedSender<Streams>,
    shared: Arc<Shared>,
}

type Streams = (MemorySend, MemoryRecv);

/// What the two ends have in common.
struct Shared {
    directions: Mutex<Vec<watch::Sender<Direction>>>,
    lost: watch::Sender<Option<Status>>,
}

/// One direction of a stream.
#[derive(Default)]
struct Direction {
    chunks: VecDeque<Bytes>,
    held: usize,
    end: Option<End>,
    stopped: Option<StreamCode>,
    lost: Option<Status>,
}

#[derive(Clone, Copy)]
enum End {
    Finished,
    Reset(StreamCode),
}

/// The two ends.
pub(super) fn pair() -> (MemoryConnection, MemoryConnection) {
    let (near_opened, far_accepted) = mpsc::unbounded_channel();
    let (far_opened, near_accepted) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared { directions: Mutex::default(), lost: watch::Sender::new(None) });
    let end = |opened, accepted| MemoryConnection {
        accepted: AsyncMutex::new(accepted),
        opened,
        shared: shared.clone(),
    };
    (end(near_opened, near_accepted), end(far_opened, far_accepted))
}

impl MemoryConnection {
    /// The connection is gone, for both ends.
    pub(super) fn lose(&self, status: &Status) {
        self.shared.lost.send_modify(|lost| {
            lost.get_or_insert(status.clone());
        });
        for direction in self.shared.directions.lock().iter() {
            direction.send_modify(|direction| {
                direction.lost.get_or_insert(status.clone());
            });
        }
    }

    fn direction(&self) -> (MemorySend, MemoryRecv) {
        let direction = watch::Sender::new(Direction::default());
        self.shared.directions.lock().push(direction.clone());
        (MemorySend(direction.clone()), MemoryRecv(direction))
    }

    fn loss(&self) -> Option<StreamError> {
        self.shared.lost.borrow().clone().map(StreamError::Lost)
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        self.lose(&Status::unavailable("the other end is gone"));
    }
}

impl Connection for MemoryConnection {
    type Send = MemorySend;
    type Recv = MemoryRecv;

    /// The first bytes are taken whole, whatever the window: so nothing can be cancelled half way.
    async fn open(&self, first: Bytes, finish: bool) -> Result<Streams, StreamError> {
        if let Some(StreamError::Lost(status)) = self.loss() {
            return Err(StreamError::Lost(status.not_processed()));
        }
        let (mut send, their_recv) = self.direction();
        let (their_send, recv) = self.direction();
        send.0.send_modify(|direction| direction.hold(first));
        if finish {
            send.finish();
        }
        let gone = || StreamError::Lost(Status::unavailable("no listener accepts streams").not_processed());
        self.opened.send((their_send, their_recv)).map_err(|_| gone())?;
        Ok((send, recv))
    }

    async fn accept(&self) -> Result<Streams, StreamError> {
        let mut accepted = self.accepted.lock().await;
        let mut lost = self.shared.lost.subscribe();
        tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => Err(self.loss().expect("it has just been lost")),
            streams = accepted.recv() => {
                streams.ok_or_else(|| StreamError::Lost(Status::unavailable("the other end is gone")))
            }
        }
    }

    fn close(&self, code: ConnectionCode, reason: &str) {
        self.lose(&Status::unavailable(format!("{code} {reason}")));
    }
}

/// Writes one direction.
pub(super) struct MemorySend(watch::Sender<Direction>);

impl MemorySend {
    /// Returns when the reader has taken everything that was written.
    pub(super) async fn taken(&self) {
        // This side holds a sender, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|direction| direction.chunks.is_empty()).await;
    }
}

impl SendStream for MemorySend {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StreamError> {
        let mut watched = self.0.subscribe();
        loop {
            // This side holds a sender, so that waiting cannot fail.
            let _ = watched.wait_for(|direction| !direction.is_full()).await;
            let mut outcome = Ok(());
            self.0.send_modify(|direction| outcome = direction.write(&mut bytes));
            outcome?;
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        let mut outcome = Ok(());
        self.0.send_modify(|direction| outcome = direction.write(bytes));
        outcome
    }

    fn finish(&mut self) {
        self.0.send_modify(|direction| {
            if direction.is_open() {
                direction.end = Some(End::Finished);
            }
        });
    }

    fn reset(&mut self, code: StreamCode) {
        self.0.send_modify(|direction| {
            // What was finished has arrived here at once, and a reset behind that says nothing.
            if direction.is_open() {
                direction.end = Some(End::Reset(code));
                direction.discard();
            }
        });
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut watched = self.0.subscribe();
        async move {
            let over = |direction: &Direction| direction.stopped.is_some() || direction.lost.is_some();
            if watched.wait_for(over).await.is_err() {
                std::future::pending().await
            }
        }
    }
}

impl Drop for MemorySend {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Reads one direction: each write is one chunk, but where the window tore it.
pub(super) struct MemoryRecv(watch::Sender<Direction>);

impl RecvStream for MemoryRecv {
    async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        let mut watched = self.0.subscribe();
        let _ = watched.wait_for(Direction::is_readable).await;
        let mut outcome = Ok(None);
        self.0.send_modify(|direction| outcome = direction.read());
        outcome
    }

    fn stop(&mut self, code: StreamCode) {
        self.0.send_modify(|direction| {
            if direction.is_open() {
                direction.stopped.get_or_insert(code);
                direction.discard();
            }
        });
    }
}

impl Drop for MemoryRecv {
    fn drop(&mut self) {
        self.stop(StreamCode::NoError);
    }
}

impl Direction {
    /// Whether what either side says still reaches the other.
    fn is_open(&self) -> bool {
        self.end.is_none() && self.lost.is_none()
    }

    fn is_full(&self) -> bool {
        self.held >= WINDOW && self.is_open() && self.stopped.is_none()
    }

    fn is_readable(&self) -> bool {
        !self.chunks.is_empty() || self.end.is_some() || self.lost.is_some()
    }

    fn hold(&mut self, chunk: Bytes) {
        self.held += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn discard(&mut self) {
        self.chunks.clear();
        self.held = 0;
    }

    fn write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        if let Some(status) = &self.lost {
            return Err(StreamError::Lost(status.clone()));
        }
        if let Some(code) = self.stopped {
            return Err(StreamError::Stopped(code));
        }
        if self.end.is_some() {
            return Err(StreamError::Lost(Status::internal("the stream was written past its end")));
        }
        let room = WINDOW - self.held.min(WINDOW);
        self.hold(bytes.split_to(room.min(bytes.len())));
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.held -= chunk.len();
            return Ok(Some(chunk));
        }
        match (self.end, &self.lost) {
            (Some(End::Reset(code)), _) => Err(StreamError::Reset(code)),
            (None, Some(status)) => Err(StreamError::Lost(status.clone())),
            (Some(End::Finished) | None, _) => Ok(None),
        }
    }
}
