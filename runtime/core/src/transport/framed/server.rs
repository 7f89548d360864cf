use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Connection, RecvStream, SendStream, StreamError,
    fill::{fill, put_message},
    incoming::Incoming,
};
use crate::{
    Caller, Channel, Code, Codec, Context, Drain, Metadata, Method, Payload, Service, Shape, Status,
    Streaming, body, deadline,
    encoding::{Answering, Encoding},
    panic, server,
    streaming::Event,
    trace::{self, CallSpan, System},
    transport::{Arrivals, Limits},
    wire::{self, ConnectionCode, FrameKind, RequestHead, StreamCode},
};
use futures_util::future::BoxFuture;

/// Answers the calls of connections: what a transport needs to know of the framing on the serving side.
#[derive(Clone, Debug)]
pub(crate) struct FramedServer {
    /// The service that answers.
    pub(crate) service: Channel,
    /// The limits on what callers send, and on answers.
    pub(crate) limits: Limits,
    /// Counts the calls.
    pub(crate) arrivals: Arrivals,
}

/// Answers the streams of one connection, each in a task of its own, until the connection ends or the
/// calls in flight have finished after `drain` said to stop. Streams opened after that are refused as
/// not processed, for `linger` beyond the last call: so long its answer takes to arrive, and a connection
/// closed before would take it back. Then, and when the future is dropped, the connection is closed.
pub(crate) async fn serve_connection<C: Connection>(
    connection: &C,
    caller: Arc<Caller>,
    server: FramedServer,
    drain: Drain,
    linger: impl FnOnce() -> Duration,
) {
    let server = Arc::new(server);
    let refuse = |send, recv| {
        server.arrivals.refused(caller.transport, Code::Unavailable);
        refuse(send, recv);
    };
    let mut calls = JoinSet::new();
    // Behind the calls, so that it is dropped before they are.
    let _closing = Closing(connection);
    let mut refusing = false;
    let mut stopping = pin!(drain.stopping());
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Ok((send, recv)) if refusing => refuse(send, recv),
                Ok((send, recv)) => {
                    // Calls that have ended are taken out here: a wake-up for each would cost more than the call does.
                    while calls.try_join_next().is_some() {}
                    calls.spawn(server.clone().answer(caller.clone(), send, recv));
                }
                Err(_) => break,
            },
            Some(_) = calls.join_next(), if refusing => {}
            () = &mut stopping, if !refusing => refusing = true,
            () = std::future::ready(()), if refusing && calls.is_empty() => break,
        }
    }
    if refusing {
        let refuse_all = async {
            while let Ok((send, recv)) = connection.accept().await {
                refuse(send, recv)
            }
        };
        // An error says that the time is over, as it should be.
        let _ = tokio::time::timeout(linger(), refuse_all).await;
    }
}

/// Closes a connection before its calls are dropped: their resets would say that each was broken off.
struct Closing<'a, C: Connection>(&'a C);

impl<C: Connection> Drop for Closing<'_, C> {
    fn drop(&mut self) {
        self.0.close(ConnectionCode::ShutDown, "");
    }
}

fn refuse(mut send: impl SendStream, mut recv: impl RecvStream) {
    recv.stop(StreamCode::ShuttingDown);
    send.reset(StreamCode::ShuttingDown);
}

impl FramedServer {
    /// Answers one stream. What a caller who gave up still had running is dropped, which cancels it.
    async fn answer<T: SendStream, R: RecvStream>(self: Arc<Self>, caller: Arc<Caller>, send: T, recv: R) {
        let mut answer =
            Answer { send, stopped: None, deadline: None, grace: self.limits.message_timeout, over: false };
        let mut incoming = Incoming::new(recv, &self.limits, StreamCode::NoError);
        let mut buffer = BytesMut::with_capacity(FIRST);
        let late = "the call's head took too long to arrive";
        let head = deadline::within(self.limits.message_timeout, late, read_head(&mut incoming)).await;
        let timeout = head.as_ref().ok().and_then(|head| head.timeout);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let path = head.as_ref().map_or(&[][..], |head| &head.path);
        let mut arrival = self.arrivals.begin(caller.transport, path, deadline);
        let accepted = match head {
            Ok(head) => self.accept(&caller, head, deadline, &mut incoming).await,
            Err(status) => Err(status),
        };
        let outcome = match accepted {
            Ok((mut cx, answers, unary)) => {
                answer.deadline = cx.deadline;
                arrival.admit(&mut cx);
                let (span, cx) = CallSpan::server(System::Polywire, cx);
                if unary {
                    answer
                        .unless_stopped(span.run(self.respond_once(cx, answers, incoming, &mut buffer)))
                        .await
                } else {
                    // Apart, so that the far more common kind above takes less room.
                    Box::pin(span.run(self.respond_many(cx, answers, &mut answer, incoming, &mut buffer)))
                        .await
                }
            }
            Err(status) => {
                trace::refused(None, &caller, &status);
                Err(status.not_processed())
            }
        };
        let fits = |trailers: Metadata| self.limits.check_metadata(&trailers).map(|()| trailers);
        let outcome = outcome.and_then(fits);
        arrival.end(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        wire::put_tail(&mut buffer, outcome.as_ref(), self.limits.max_metadata_bytes);
        answer.end(buffer.freeze()).await;
    }

    /// What the head says: the call's context, how it wants to be answered, and whether it is unary.
    async fn accept<R: RecvStream>(
        &self,
        caller: &Arc<Caller>,
        head: RequestHead,
        deadline: Option<Instant>,
        incoming: &mut Incoming<R>,
    ) -> Result<(Context, Answering, bool), Status> {
        self.limits.check_metadata(&head.metadata)?;
        let mut cx = Context::incoming(head.path, caller.clone())?;
        cx.metadata = head.metadata;
        cx.codec = Some(head.codec);
        cx.compression = head.compression.requests;
        incoming.decompress_with(cx.compression)?;
        cx.deadline = deadline;
        cx.message_limit = Some(self.limits.max_message_bytes);
        let method = self.service.method(cx.path());
        cx.known_as(method);
        if !method.is_some_and(Method::is_idempotent) {
            deadline::bound(cx.deadline, incoming.proven()).await?;
        }
        if let Some(limit) = method.and_then(|method| method.message_limit()) {
            incoming.limit_messages(limit);
            cx.message_limit = Some(limit.min(self.limits.max_message_bytes));
        }
        if let (true, Some(method)) = (head.unary, method) {
            server::expect_unary(method)?;
        }
        // A caller may leave the flag out; the answer is the same, the request just has less time.
        let unary = head.unary || method.is_some_and(|method| method.shape() == Shape::Unary);
        let limit = cx.message_limit.unwrap_or(self.limits.max_message_bytes);
        Ok((cx, Answering { codec: head.codec, accepted: head.compression.answers, limit }, unary))
    }

    async fn respond_once<R: RecvStream>(
        &self,
        cx: Context,
        answers: Answering,
        mut incoming: Incoming<R>,
        buffer: &mut BytesMut,
    ) -> Result<Metadata, Status> {
        // Nothing is streamed here, so the whole request is one message that has begun.
        let late = "the request took too long to arrive";
        let reading =
            deadline::within(self.limits.message_timeout, late, read_one(&mut incoming, answers.codec));
        let message = deadline::bound(cx.deadline, reading).await.map_err(Status::not_processed)?;
        drop(incoming);
        let (deadline, path) = (cx.deadline, cx.path.clone());
        let work = panic::guard(path, self.service.unary(cx, message));
        let response = deadline::bound(deadline, work).await?;
        let encoding = answers.encoding(response.compression);
        if !response.metadata.is_empty() || encoding.compression.is_some() {
            self.put_head(buffer, &encoding, &response.metadata)?;
        }
        put_message(buffer, &response.message, &encoding)?;
        Ok(response.trailers)
    }

    async fn respond_many<T: SendStream, R: RecvStream>(
        &self,
        cx: Context,
        answers: Answering,
        answer: &mut Answer<T>,
        incoming: Incoming<R>,
        buffer: &mut BytesMut,
    ) -> Result<Metadata, Status> {
        let (deadline, path) = (cx.deadline, cx.path.clone());
        let work = panic::guard(path.clone(), self.service.stream(cx, requests(incoming, answers.codec)));
        let response = answer.unless_stopped(deadline::bound(deadline, work)).await?;
        let encoding = answers.encoding(response.compression);
        let mut messages = deadline::bound_stream(deadline, response.message);
        self.put_head(buffer, &encoding, &response.metadata)?;
        loop {
            // The head goes out by itself where no message is ready: the caller may wait for it.
            let filled = panic::guard(path.clone(), fill(&mut messages, buffer, &encoding));
            if answer.unless_stopped(filled).await? {
                return Ok(messages.take_trailers());
            }
            answer.write(buffer.split().freeze()).await?;
        }
    }

    fn put_head(
        &self,
        buffer: &mut BytesMut,
        encoding: &Encoding,
        metadata: &Metadata,
    ) -> Result<(), Status> {
        self.limits.check_metadata(metadata)?;
        wire::put_response_head(buffer, encoding.compression, metadata);
        Ok(())
    }
}

/// How much room an answer has before its buffer grows, in bytes: for a small message and its end.
const FIRST: usize = 256;

/// The direction that is written. An answer that was not ended must not look as if it were.
struct Answer<T: SendStream> {
    send: T,
    /// Says that the caller gave up; made when there is something to wait for, as few calls have.
    stopped: Option<BoxFuture<'static, ()>>,
    deadline: Option<Instant>,
    grace: Duration,
    over: bool,
}

impl<T: SendStream> Answer<T> {
    /// What the work comes to, unless the caller gives up first: then it is dropped.
    async fn unless_stopped<O>(
        &mut self,
        work: impl Future<Output = Result<O, Status>>,
    ) -> Result<O, Status> {
        let mut work = pin!(work);
        if let Some(outcome) = poll_fn(|task| Poll::Ready(now(work.as_mut().poll(task)))).await {
            return outcome;
        }
        let stopped = self.stopped.get_or_insert_with(|| stopped(&mut self.send));
        let outcome = tokio::select! {
            biased;
            outcome = work => return outcome,
            () = stopped => Err(match deadline::is_reached(self.deadline) {
                true => deadline::exceeded(),
                false => Status::cancelled("the caller gave up"),
            }),
        };
        self.give_up();
        outcome
    }

    /// Writes what is not the last. A caller that reads no more holds the call up to its deadline.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Status> {
        self.put(self.deadline, bytes, false).await
    }

    /// Writes the last and ends the direction. It has some time beyond the deadline, which may be what it
    /// tells of.
    async fn end(&mut self, last: Bytes) {
        let now = Instant::now();
        let by = self.deadline.map_or(now, |deadline| deadline.max(now)).checked_add(self.grace);
        if !self.over && self.put(by, last, true).await.is_ok() {
            self.over = true;
        }
    }

    async fn put(&mut self, deadline: Option<Instant>, bytes: Bytes, last: bool) -> Result<(), Status> {
        let send = &mut self.send;
        let writing = async { Ok(if last { send.end(bytes).await } else { send.write(bytes).await }) };
        let writing = deadline::bound(deadline, writing);
        let written = match &mut self.stopped {
            None => writing.await,
            // A write that waits for the connection's window is not told that its stream was stopped.
            Some(stopped) => tokio::select! {
                biased;
                written = writing => written,
                () = stopped => Ok(Err(StreamError::Stopped(StreamCode::Cancelled))),
            },
        };
        let outcome = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("the caller wants no more")),
            Err(exceeded) => Err(exceeded.processed()),
        };
        // Part of it may be under way, so nothing can follow.
        self.give_up();
        outcome
    }

    fn give_up(&mut self) {
        self.send.reset(StreamCode::Cancelled);
        self.over = true;
    }
}

impl<T: SendStream> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.over {
            self.give_up();
        }
    }
}

/// Returns when the peer wants no more. One that has said so already is found out by a write of nothing:
/// QUIC libraries forget to tell a waiter that comes later.
fn stopped<T: SendStream>(send: &mut T) -> BoxFuture<'static, ()> {
    match send.write(Bytes::new()).now_or_never() {
        Some(Err(_)) => Box::pin(std::future::ready(())),
        Some(Ok(())) | None => Box::pin(send.stopped()),
    }
}

fn now<O>(polled: Poll<O>) -> Option<O> {
    match polled {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

async fn read_head<R: RecvStream>(incoming: &mut Incoming<R>) -> Result<RequestHead, Status> {
    let kind = incoming.kind().await?;
    if kind != wire::CALL {
        return Err(wire::WireError::UnknownKind(kind).into());
    }
    let frame = incoming.frame().await?;
    match frame.kind {
        FrameKind::Head => Ok(RequestHead::parse(frame.payload)?),
        FrameKind::Message | FrameKind::Compressed | FrameKind::End => {
            Err(Status::internal("a call must begin with its head"))
        }
    }
}

async fn read_one<R: RecvStream>(incoming: &mut Incoming<R>, codec: Codec) -> Result<Payload, Status> {
    let Some(message) = incoming.message(codec).await? else {
        return Err(body::none_came());
    };
    match incoming.message(codec).await? {
        None => Ok(message),
        Some(_) => Err(body::more_came()),
    }
}

fn requests<R: RecvStream>(incoming: Incoming<R>, codec: Codec) -> Streaming<Payload> {
    Streaming::from_events(futures_util::stream::unfold(Some(incoming), move |incoming| async move {
        let mut incoming = incoming?;
        match incoming.message(codec).await {
            Ok(Some(message)) => Some((Ok(Event::Message(message)), Some(incoming))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}
