//! HTTP/2 keep-alive that takes a server's word for it that it is too much.

use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Frame;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};

use super::status;
use crate::transport::net::write_through;
use futures_util::future::BoxFuture;

/// A channel whose connections ask every so often whether their peer is there, and half as often once a server says that
/// it is asked too often. Source:
/// [gRFC A8](https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#throttling).
#[derive(Clone)]
pub(super) struct KeptAlive {
    shared: Arc<KeptAliveInner>,
    /// What the next call is made on.
    next: Option<Paced>,
}

struct KeptAliveInner {
    make: Box<dyn Fn(&Pace) -> Channel + Send + Sync>,
    pace: Pace,
    current: ArcSwap<Paced>,
}

/// A channel, and how often its connections ask.
#[derive(Clone)]
struct Paced {
    channel: Channel,
    interval: Duration,
}

/// How often connections ask, in milliseconds. Clones share it.
#[derive(Clone)]
struct Pace(Arc<AtomicU64>);

/// No server wants to be asked less often than that.
const LONGEST: Duration = Duration::from_secs(3_600);

impl Pace {
    fn interval(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// A server was asked too often at this interval.
    fn slow_down(&self, interval: Duration) {
        let longer = interval.saturating_mul(2).min(LONGEST.max(interval));
        let longer = u64::try_from(longer.as_millis()).unwrap_or(u64::MAX);
        if self.0.fetch_max(longer, Ordering::Relaxed) < longer {
            tracing::info!(every = ?self.interval(), "a gRPC server takes fewer keep-alive pings");
        }
    }
}

impl KeptAlive {
    /// Over this endpoint, by connections that this makes, at this interval at first. A peer that does not answer for as
    /// long is gone.
    pub(super) fn new<C>(endpoint: Endpoint, connector: C, interval: Duration) -> Self
    where
        C: tower::Service<Uri, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
        C::Response: Read + Write + Send + Unpin,
        C::Future: Send,
    {
        let pace =
            Pace(Arc::new(AtomicU64::new(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1))));
        let make = move |pace: &Pace| {
            let attentive =
                Attentive { inner: connector.clone(), pace: pace.clone(), interval: pace.interval() };
            let endpoint = endpoint.clone().http2_keep_alive_interval(pace.interval());
            endpoint.keep_alive_timeout(interval).connect_with_connector_lazy(attentive)
        };
        let paced = Paced { channel: make(&pace), interval: pace.interval() };
        let shared = KeptAliveInner { make: Box::new(make), pace, current: ArcSwap::from_pointee(paced) };
        Self { shared: Arc::new(shared), next: None }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl KeptAliveInner {
    /// The channel that calls go over now.
    fn current(&self) -> Paced {
        let current = self.current.load();
        if current.interval == self.pace.interval() {
            return Paced::clone(&current);
        }
        // Of calls that race each may make one, and the last is kept. None has a connection before its call.
        let paced = Paced { interval: self.pace.interval(), channel: (self.make)(&self.pace) };
        self.current.store(Arc::new(paced.clone()));
        paced
    }
}

impl tower::Service<Request<Body>> for KeptAlive {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let next = self.next.get_or_insert_with(|| self.shared.current());
        tower::Service::<Request<Body>>::poll_ready(&mut next.channel, task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Paced { mut channel, interval } = self.next.take().unwrap_or_else(|| self.shared.current());
        let pace = self.shared.pace.clone();
        Box::pin(async move {
            let response = channel.call(request).await.inspect_err(|error| {
                if status::asks_for_calm(error) {
                    pace.slow_down(interval);
                }
            })?;
            Ok(response.map(|inner| Body::new(Overheard { inner, pace, interval })))
        })
    }
}

impl fmt::Debug for KeptAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAlive").field("interval", &self.shared.pace.interval()).finish_non_exhaustive()
    }
}

/// An answer in which a server may say so: the connection may end amid it, and grpcio says so in the trailers.
struct Overheard {
    inner: Body,
    pace: Pace,
    interval: Duration,
}

impl http_body::Body for Overheard {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(task));
        let too_many = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().is_some_and(status::complains_of_pings),
            Some(Err(error)) => status::asks_for_calm(error),
            None => false,
        };
        if too_many {
            self.pace.slow_down(self.interval);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Makes connections that are listened to: of streams that a server has seen, HTTP/2 libraries say only that their
/// connection broke, whatever GOAWAY said before.
#[derive(Clone)]
struct Attentive<C> {
    inner: C,
    pace: Pace,
    interval: Duration,
}

impl<C> tower::Service<Uri> for Attentive<C>
where
    C: tower::Service<Uri, Error: Into<BoxError>>,
    C::Future: Send + 'static,
{
    type Response = Heard<C::Response>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(task).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let (pace, interval) = (self.pace.clone(), self.interval);
        Box::pin(async move {
            let io = connecting.await.map_err(Into::<BoxError>::into)?;
            Ok(Heard { io, frames: Frames::default(), pace, interval })
        })
    }
}

/// A connection whose frames are looked at as they come.
struct Heard<I> {
    io: I,
    frames: Frames,
    pace: Pace,
    interval: Duration,
}

impl<I: Read + Unpin> Read for Heard<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut bytes = [0; READ];
        let room = buffer.remaining().min(READ);
        let mut read = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut this.io).poll_read(task, read.unfilled()))?;
        if this.frames.pass(read.filled()) {
            this.pace.slow_down(this.interval);
        }
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

/// How much is read at once.
const READ: usize = 8 << 10;

write_through!(Write for Heard<I>);

/// The frames of one direction, which come in pieces.
#[derive(Default)]
struct Frames {
    /// The beginning of a frame: its head, and of GOAWAY what follows up to its reason.
    begun: Vec<u8>,
    /// How many bytes of a frame are still to come that say nothing here.
    skip: usize,
}

/// RFC 9113, sections 4.1, 6.8 and 7.
const HEAD: usize = 9;
const GOAWAY: u8 = 0x7;
const REASON: usize = HEAD + 8;
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0xb];

impl Frames {
    /// Whether these next bytes end a GOAWAY that asks for calm.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        let mut asked = false;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            bytes = &bytes[skipped..];
            self.skip -= skipped;
            let wanted = if self.is_goaway() { REASON } else { HEAD };
            let (taken, left) = bytes.split_at(bytes.len().min(wanted - self.begun.len()));
            self.begun.extend_from_slice(taken);
            bytes = left;
            if self.begun.len() == HEAD && !self.is_goaway() {
                self.skip = self.length();
                self.begun.clear();
            } else if self.begun.len() == REASON {
                asked |= self.begun.ends_with(&ENHANCE_YOUR_CALM);
                self.skip = self.length().saturating_sub(REASON - HEAD);
                self.begun.clear();
            }
        }
        asked
    }

    fn is_goaway(&self) -> bool {
        self.begun.len() >= HEAD && self.begun[3] == GOAWAY
    }

    fn length(&self) -> usize {
        let [a, b, c] = [self.begun[0], self.begun[1], self.begun[2]];
        u32::from_be_bytes([0, a, b, c]) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DATA of three bytes, a GOAWAY with this reason and some debug data, and an empty SETTINGS.
    fn traffic(reason: u8) -> Vec<u8> {
        let data = [0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 7, 7];
        let goaway = [0, 0, 10, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, reason, b'n', b'o'];
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        [&data[..], &goaway, &settings].concat()
    }

    #[test]
    fn a_goaway_that_asks_for_calm_is_heard_however_it_is_cut() {
        for size in 1..40 {
            let heard = |reason| {
                let mut frames = Frames::default();
                traffic(reason).chunks(size).filter(|chunk| frames.pass(chunk)).count()
            };
            assert_eq!((heard(0xb), heard(0)), (1, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn an_interval_is_doubled_once_for_all_who_were_told_at_the_same_time() {
        let pace = Pace(Arc::new(AtomicU64::new(100)));
        let first = pace.interval();
        pace.slow_down(first);
        pace.slow_down(first);
        assert_eq!(pace.interval(), 2 * first);
        pace.slow_down(pace.interval());
        assert_eq!(pace.interval(), 4 * first);
        pace.slow_down(LONGEST);
        assert_eq!(pace.interval(), LONGEST);
    }
}
