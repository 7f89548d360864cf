use std::{future::ready, pin::pin, sync::Arc, time::Duration};

use bytes::BytesMut;
use futures_util::future::Either;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Connection, RecvStream, SendStream,
    answer::Answer,
    body::{Incoming, fill, put_message},
};
use crate::{
    Caller, Code, Context, Drain, Metadata, Method, Status, deadline,
    encoding::{Encoding, ResponseEncoding},
    messages,
    trace::System,
    transport::{Admitted, Arrival, Inbound, refused},
    wire::{self, ConnectionCode, FrameKind, RequestHead, StreamCode},
};

/// Answers the streams of one connection, each in a task of its own, until the connection ends or the
/// calls in flight have finished after `drain` said to stop. Streams opened after that are refused as
/// not processed, for `linger` beyond the last call: so long its answer takes to arrive, and a connection
/// closed before would take it back. Then, and when the future is dropped, the connection is closed.
pub(crate) async fn serve_connection<C: Connection>(
    connection: &C,
    caller: Arc<Caller>,
    inbound: Inbound,
    drain: Drain,
    linger: impl FnOnce() -> Duration,
) {
    let server = Arc::new(FramedServer { inbound, caller });
    let refuse = |send, recv| {
        server.inbound.turned_away(server.caller.transport, Code::Unavailable);
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
                    calls.spawn(server.clone().answer(send, recv));
                }
                Err(_) => break,
            },
            Some(_) = calls.join_next(), if refusing => {}
            () = &mut stopping, if !refusing => refusing = true,
            () = ready(()), if refusing && calls.is_empty() => break,
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

/// Answers the calls of one connection.
struct FramedServer {
    inbound: Inbound,
    caller: Arc<Caller>,
}

impl FramedServer {
    /// Answers one stream. What a caller who gave up still had running is dropped, which cancels it.
    fn answer<T: SendStream, R: RecvStream>(
        self: Arc<Self>,
        send: T,
        recv: R,
    ) -> impl Future<Output = ()> + Send {
        let limits = &self.inbound.limits;
        let mut answer = Answer::new(send);
        let mut incoming = Some(Incoming::new(recv, limits, StreamCode::NoError));
        // No `async fn`, which would hold its arguments twice.
        async move {
            let mut buffer = BytesMut::new();
            let mut arrival = Arrival::default();
            let admitted = self.admitted(&mut incoming, &mut arrival).await;
            let outcome = self.respond(admitted, &mut answer, &mut incoming, &mut buffer).await;
            let limits = &self.inbound.limits;
            let fits = |trailers: Metadata| limits.check_metadata(&trailers).map(|()| trailers);
            let outcome = outcome.and_then(fits);
            arrival.end(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
            wire::put_tail(&mut buffer, outcome.as_ref(), limits.max_metadata_bytes);
            answer.end(buffer.freeze(), limits.message_timeout).await;
        }
    }

    /// Puts the responses of a call into the buffer, and those that come before the last on the wire; returns its trailing
    /// metadata.
    fn respond<T: SendStream, R: RecvStream>(
        &self,
        admitted: Result<(Admitted, ResponseEncoding), Status>,
        answer: &mut Answer<T>,
        incoming: &mut Option<Incoming<R>>,
        buffer: &mut BytesMut,
    ) -> impl Future<Output = Result<Metadata, Status>> + Send {
        let (call, answers) = match admitted {
            Ok(admitted) => admitted,
            Err(status) => return Either::Right(Either::Left(ready(Err(status)))),
        };
        answer.deadline = call.deadline();
        if call.unary {
            let work = call.run(|cx| self.respond_once(cx, answers, incoming, buffer));
            return Either::Left(answer.unless_stopped(work));
        }
        // Apart, so that the far more common kind above takes less room.
        let work = call.run(|cx| self.respond_many(cx, answers, answer, incoming.take(), buffer));
        Either::Right(Either::Right(Box::pin(work)))
    }

    /// Reads the head of a call, and returns the call, and how it wants to be answered.
    async fn admitted<R: RecvStream>(
        &self,
        incoming: &mut Option<Incoming<R>>,
        arrival: &mut Arrival,
    ) -> Result<(Admitted, ResponseEncoding), Status> {
        let Some(incoming) = incoming else { return Err(read_already()) };
        let late = "the call's head took too long to arrive";
        let head = deadline::within(self.inbound.limits.message_timeout, late, read_head(incoming)).await;
        let timeout = head.as_ref().ok().and_then(|head| head.timeout);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let path = head.as_ref().map_or(&[][..], |head| &head.path);
        *arrival = self.inbound.arrive(self.caller.transport, path, deadline);
        let head = head.map_err(|status| refused(None, Some(&self.caller), status))?;
        let (codec, accepted, unary) = (head.codec, head.compression.answers, head.unary);
        let cx = self.context(head, incoming);
        let cx = cx.map_err(|status| refused(None, Some(&self.caller), status))?;
        // A caller may leave the flag out; the answer is the same, the request just has less time.
        let call = self.inbound.admit(System::Polywire, arrival, cx, unary)?;
        if !arrival.method.is_some_and(Method::is_idempotent) {
            deadline::bound(call.deadline(), incoming.proven()).await.map_err(Status::not_processed)?;
        }
        incoming.limit_messages(call.limit);
        incoming.decode(codec);
        let answers = call.answers(codec, accepted);
        Ok((call, answers))
    }

    fn context<R: RecvStream>(
        &self,
        head: RequestHead,
        incoming: &mut Incoming<R>,
    ) -> Result<Context, Status> {
        incoming.decompress_with(head.compression.requests)?;
        let mut cx = Context::incoming(head.path, self.caller.clone())?;
        cx.metadata = head.metadata;
        cx.codec = Some(head.codec);
        cx.compression = head.compression.requests;
        Ok(cx)
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    fn respond_once<R: RecvStream>(
        &self,
        cx: Context,
        answers: ResponseEncoding,
        incoming: &mut Option<Incoming<R>>,
        buffer: &mut BytesMut,
    ) -> impl Future<Output = Result<Metadata, Status>> + Send {
        async move {
            // Nothing is streamed here, so the whole request is one message that has begun.
            let Some(requests) = incoming else { return Err(read_already()) };
            let message = self.inbound.receive(cx.deadline, requests, answers.counter.as_deref()).await?;
            // The peer learns now that no more is read.
            *incoming = None;
            buffer.reserve(FIRST);
            let response = self.inbound.unary(cx, message).await?;
            let encoding = answers.encoding(response.compression);
            if !response.metadata.is_empty() || encoding.compression.is_some() {
                self.put_head(buffer, &encoding, &response.metadata)?;
            }
            put_message(buffer, &response.message, &encoding)?;
            Ok(response.trailers)
        }
    }

    async fn respond_many<T: SendStream, R: RecvStream>(
        &self,
        cx: Context,
        answers: ResponseEncoding,
        answer: &mut Answer<T>,
        incoming: Option<Incoming<R>>,
        buffer: &mut BytesMut,
    ) -> Result<Metadata, Status> {
        let incoming = incoming.ok_or_else(read_already)?;
        let requests = messages::streaming(incoming, answers.counter.clone());
        let response = answer.unless_stopped(self.inbound.stream(cx, requests)).await?;
        let encoding = answers.encoding(response.compression);
        let mut messages = response.message;
        self.put_head(buffer, &encoding, &response.metadata)?;
        loop {
            // The head goes out by itself where no message is ready: the caller may wait for it.
            let filled = answer.unless_stopped(fill(&mut messages, buffer, &encoding)).await;
            // Behind its head a call has been processed, whatever a status says that came from elsewhere.
            if filled.map_err(Status::processed)? {
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
        self.inbound.limits.check_metadata(metadata)?;
        wire::put_response_head(buffer, encoding.compression, metadata);
        Ok(())
    }
}

/// How much room an answer has before its buffer grows, in bytes: for a small message and its end.
const FIRST: usize = 96;

fn read_already() -> Status {
    Status::internal("the requests of a call were read twice")
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
