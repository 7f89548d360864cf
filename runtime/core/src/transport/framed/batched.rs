use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{TryFutureExt as _, future::Either};
use tokio::sync::oneshot;

use super::{Connection, Proof, RequestStreams, SendStream, StreamError};
use crate::{
    Status,
    sync::Mutex,
    transport::NetworkPath,
    wire::{ConnectionCode, StreamCode},
};

/// A connection whose small writes go out together, for carriers that send a packet a write, as QUIC does.
///
/// Packets are the cost, not bytes, and each write by itself is a packet. So a call on a busy connection
/// waits until everything else that is ready to run has run, and what has gathered by then is opened, written
/// and ended in one go. On a connection with three calls or fewer nothing waits.
pub struct Batched<C: Connection>(Arc<BatchedInner<C>>);

struct BatchedInner<C: Connection> {
    connection: C,
    /// The number of open calls, of both sides.
    open: AtomicUsize,
    opening: Gathering<Opening<C>>,
    ending: Gathering<Ending<C::Send>>,
}

/// A call that is to be opened with all of its request.
struct Opening<C: Connection> {
    request: Bytes,
    opened: oneshot::Sender<Result<RequestStreams<C>, StreamError>>,
}

/// A direction that is to end with these bytes.
struct Ending<S> {
    send: S,
    last: Bytes,
}

/// With no more calls open than this, gathering costs more than it saves: measured, both come to the same
/// around four.
pub(super) const FEW: usize = 3;

/// More than this many bytes go out by themselves: they fill packets anyway, and others must not wait behind
/// them.
const SMALL: usize = 4 << 10;

/// How long a peer that does not read may keep the last bytes of an answer waiting.
const PATIENCE: Duration = Duration::from_secs(20);

impl<C: Connection> Batched<C> {
    /// Gathers what is written on this connection.
    pub fn new(connection: C) -> Self {
        Self(Arc::new(BatchedInner {
            connection,
            open: AtomicUsize::new(0),
            opening: Gathering::default(),
            ending: Gathering::default(),
        }))
    }

    /// The connection itself.
    pub fn get(&self) -> &C {
        &self.0.connection
    }

    async fn open_with_others(&self, request: Bytes) -> Result<RequestStreams<C>, StreamError> {
        let (opened, opening) = oneshot::channel();
        if self.0.opening.add(Opening { request, opened }) {
            tokio::spawn(open_all(self.0.clone()));
        }
        let ended = || StreamError::Lost(Status::unavailable("the runtime shut down amid the call"));
        opening.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl<C: Connection> Clone for Batched<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Connection> Connection for Batched<C> {
    type Send = BatchedSend<C>;
    type Recv = C::Recv;

    fn open(
        &self,
        first: Bytes,
        finish: bool,
    ) -> impl Future<Output = Result<(BatchedSend<C>, C::Recv), StreamError>> + Send {
        let call = OpenCall::new(&self.0);
        let opening = if !finish || first.len() > SMALL || call.is_one_of_few() {
            Either::Left(self.0.connection.open(first, finish))
        } else {
            Either::Right(self.open_with_others(first))
        };
        opening.map_ok(|(send, recv)| (BatchedSend { send: Some(send), call }, recv))
    }

    async fn accept(&self) -> Result<(BatchedSend<C>, C::Recv), StreamError> {
        let (send, recv) = self.0.connection.accept().await?;
        Ok((BatchedSend { send: Some(send), call: OpenCall::new(&self.0) }, recv))
    }

    fn close(&self, code: ConnectionCode, reason: &str) {
        self.0.connection.close(code, reason);
    }

    async fn closed(&self) {
        self.0.connection.closed().await;
    }

    fn early(&self) -> Option<Proof> {
        self.0.connection.early()
    }

    fn path(&self) -> Option<NetworkPath> {
        self.0.connection.path()
    }
}

async fn open_all<C: Connection>(shared: Arc<BatchedInner<C>>) {
    for Opening { request, mut opened } in shared.opening.gather().await {
        let streams = tokio::select! {
            biased;
            // The caller gave up.
            () = opened.closed() => continue,
            streams = shared.connection.open(request, true) => streams,
        };
        if let Err(Ok((mut send, _recv))) = opened.send(streams) {
            send.reset(StreamCode::Cancelled);
        }
    }
}

async fn end_all<C: Connection>(shared: Arc<BatchedInner<C>>) {
    for Ending { mut send, mut last } in shared.ending.gather().await {
        if send.try_write(&mut last).is_err() {
            continue;
        }
        if last.is_empty() {
            send.finish();
            continue;
        }
        // The peer's window is full; the others need not wait for it.
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, send.write(last)).await {
                Ok(Ok(())) => send.finish(),
                Ok(Err(_)) | Err(_) => send.reset(StreamCode::Cancelled),
            }
        });
    }
}

/// The direction that is written of a stream on a [`Batched`] connection.
pub struct BatchedSend<C: Connection> {
    /// `None` once it has been handed on to be ended.
    send: Option<C::Send>,
    call: OpenCall<C>,
}

impl<C: Connection> SendStream for BatchedSend<C> {
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send {
        match &mut self.send {
            Some(send) => Either::Left(send.write(bytes)),
            None => Either::Right(ready(Err(StreamError::Stopped(StreamCode::NoError)))),
        }
    }

    fn try_write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        self.send.as_mut().map_or(Ok(()), |send| send.try_write(bytes))
    }

    fn end(&mut self, last: Bytes) -> impl Future<Output = Result<(), StreamError>> + Send {
        if last.len() > SMALL || self.call.is_one_of_few() {
            // No `async fn`, which would hold its arguments twice.
            return Either::Left(async move {
                self.write(last).await?;
                self.finish();
                Ok(())
            });
        }
        if let Some(send) = self.send.take() {
            let shared = &self.call.0;
            if shared.ending.add(Ending { send, last }) {
                tokio::spawn(end_all(shared.clone()));
            }
        }
        Either::Right(ready(Ok(())))
    }

    fn finish(&mut self) {
        if let Some(send) = &mut self.send {
            send.finish();
        }
    }

    fn reset(&mut self, code: StreamCode) {
        if let Some(send) = &mut self.send {
            send.reset(code);
        }
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let stopped = self.send.as_ref().map(SendStream::stopped);
        async move {
            match stopped {
                Some(stopped) => stopped.await,
                None => std::future::pending().await,
            }
        }
    }
}

/// Counts a call among the open ones for as long as it lives.
struct OpenCall<C: Connection>(Arc<BatchedInner<C>>);

impl<C: Connection> OpenCall<C> {
    fn new(shared: &Arc<BatchedInner<C>>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }

    fn is_one_of_few(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) <= FEW
    }
}

impl<C: Connection> Drop for OpenCall<C> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Items that accumulate until they are taken all at once.
struct Gathering<T>(Mutex<Vec<T>>);

impl<T> Default for Gathering<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Gathering<T> {
    /// Adds an item; true if it is the first, so that the taker must be woken.
    fn add(&self, item: T) -> bool {
        let mut items = self.0.lock();
        items.push(item);
        items.len() == 1
    }

    /// Lets everything run that is ready to, and takes what has gathered then.
    async fn gather(&self) -> Vec<T> {
        tokio::task::yield_now().await;
        std::mem::take(&mut *self.0.lock())
    }
}
