use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use futures_util::future::Either;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    NAME,
    connection::Place,
    server::{Server, gone},
};
use crate::{
    Caller, Code, Compression, Context, Limits, Metadata, Payload, Response, Status, Streaming, deadline,
    messages,
    observer::CallObserver,
    streaming::{Event, Source},
    trace::System,
    transport::{Admitted, Arrival},
};

/// How many answers may wait to be read.
const WAITING: usize = 16;

/// The way of one call from its caller to the server, and back.
pub(super) struct Dispatch {
    pub(super) server: Arc<Server>,
    /// The caller's limits.
    pub(super) limits: Limits,
    /// Whether the call may be made twice.
    pub(super) idempotent: bool,
    /// Counts the call.
    pub(super) arrival: Arrival,
}

/// The side that sets a limit.
#[derive(Clone, Copy)]
enum Side {
    Caller,
    Server,
}

impl Dispatch {
    /// The call at the server, which is told nothing that layers of the caller put beside it; and the largest message that
    /// both sides allow.
    fn admit(&self, cx: Context, unary: bool) -> Result<(Admitted, usize), Status> {
        let own = cx.message_limit.unwrap_or(usize::MAX).min(self.limits.max_message_bytes);
        let arriving = Context {
            path: cx.path,
            metadata: cx.metadata,
            codec: cx.codec,
            compression: cx.compression,
            caller: Some(Arc::new(Caller::new(NAME).local())),
            ..Context::new()
        };
        let call = self.server.inbound.admit(System::Polywire, &self.arrival, arriving, unary)?;
        let limit = own.min(call.limit);
        Ok((call, limit))
    }

    fn check_metadata(&self, metadata: &Metadata) -> Result<(), Status> {
        self.server.inbound.limits.check_metadata(metadata)?;
        self.limits.check_metadata(metadata)
    }

    /// Calls the handler with one message, in the caller's own task.
    pub(super) async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let (call, limit) = self.admit(cx, true)?;
        check(&message, limit, Side::Caller)?;
        let counter = call.counter();
        messages::received(counter.as_deref(), &message);
        let answered = call.run(|cx| self.answered(cx, message, limit));
        let response = self.server.unless_cut(self.idempotent, answered).await?;
        sent(counter.as_deref());
        Ok(response)
    }

    async fn answered(
        &self,
        cx: Context,
        message: Payload,
        limit: usize,
    ) -> Result<Response<Payload>, Status> {
        let response = self.server.inbound.unary(cx, message).await?;
        self.check_metadata(&response.metadata)?;
        self.check_metadata(&response.trailers)?;
        check(&response.message, limit, Side::Server)?;
        Ok(response)
    }

    /// Calls the handler in a task of its own, which ends with the call whether or not the answers are read.
    pub(super) async fn stream(
        self,
        cx: Context,
        messages: Streaming<Payload>,
        place: Place,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let (headed, head) = oneshot::channel();
        let (answers, read) = mpsc::channel(WAITING);
        let (ended, end) = oneshot::channel();
        let idempotent = self.idempotent;
        let half = ServerHalf { headed: Some(headed), answers, counter: None };
        tokio::spawn(async move {
            // The place is given up before the caller learns of the end, and may make its next call.
            let outcome = half.run(self, cx, messages).await;
            drop(place);
            // An error says that the caller has gone.
            let _ = ended.send(outcome);
        });
        let Ok(Head { metadata, compression }) = head.await else {
            // It ended before it answered anything.
            return Err(end.await.ok().and_then(Result::err).unwrap_or_else(|| gone(idempotent)));
        };
        let answers = futures_util::stream::unfold(Some((read, end)), move |open| async move {
            let (mut read, end) = open?;
            if let Some(message) = read.recv().await {
                return Some((Ok(Event::Message(message)), Some((read, end))));
            }
            let outcome = end.await.unwrap_or_else(|_| Err(gone(idempotent)));
            Some((outcome.map(Event::Trailers), None))
        });
        let answers = Streaming::from_events(answers).received_with(compression);
        Ok(Response { metadata, message: answers, trailers: Metadata::new(), compression })
    }
}

/// What an answer begins with.
struct Head {
    metadata: Metadata,
    compression: Option<Compression>,
}

/// The server's side of a call that streams.
struct ServerHalf {
    /// Tells the caller that the answer begins; gone once it has.
    headed: Option<oneshot::Sender<Head>>,
    answers: mpsc::Sender<Payload>,
    /// Counts the answers.
    counter: Option<Arc<dyn CallObserver>>,
}

impl ServerHalf {
    /// What the call ends with: the trailing metadata, or why it failed.
    async fn run(
        self,
        mut dispatch: Dispatch,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Metadata, Status> {
        let outcome = self.outcome(&dispatch, cx, messages).await;
        dispatch.arrival.end(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        outcome
    }

    async fn outcome(
        mut self,
        dispatch: &Dispatch,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Metadata, Status> {
        let compression = cx.compression;
        let (call, limit) = dispatch.admit(cx, false)?;
        let (breaking, mut broken) = oneshot::channel();
        let requests = Requests { inner: messages, limit, breaking: Some(breaking), counter: call.counter() };
        let abandoned = self.answers.clone();
        let (server, idempotent) = (dispatch.server.clone(), dispatch.idempotent);
        let requests = Streaming::from_source(requests).received_with(compression);
        self.counter = call.counter();
        let work = if call.unary {
            Either::Left(call.run(|cx| self.answer_once(dispatch, cx, requests, limit)))
        } else {
            Either::Right(call.run(|cx| self.answer_many(dispatch, cx, requests, limit)))
        };
        let outcome = tokio::select! {
            biased;
            outcome = server.unless_cut(idempotent, work) => outcome,
            Ok(status) = &mut broken => return Err(status.processed()),
            () = abandoned.closed() => Err(Status::cancelled("the caller gave up")),
        };
        // The caller's own requests failed, and so does its call, whatever the handler made of that.
        match (broken.try_recv(), outcome) {
            (Ok(status), Err(unseen)) if unseen.is_not_processed() => Err(status.not_processed()),
            (Ok(status), _) => Err(status.processed()),
            (Err(_), outcome) => outcome,
        }
    }

    async fn answer_once(
        &mut self,
        dispatch: &Dispatch,
        cx: Context,
        mut requests: Streaming<Payload>,
        limit: usize,
    ) -> Result<Metadata, Status> {
        // The stream of requests counts them.
        let deadline = cx.deadline;
        let message = dispatch.server.inbound.receive(deadline, &mut requests, None).await?;
        let response = dispatch.answered(cx, message, limit).await?;
        self.begin(Head { metadata: response.metadata, compression: response.compression });
        self.put(deadline, response.message).await?;
        Ok(response.trailers)
    }

    async fn answer_many(
        &mut self,
        dispatch: &Dispatch,
        cx: Context,
        requests: Streaming<Payload>,
        limit: usize,
    ) -> Result<Metadata, Status> {
        let deadline = cx.deadline;
        let response = dispatch.server.inbound.stream(cx, requests).await?;
        dispatch.check_metadata(&response.metadata)?;
        self.begin(Head { metadata: response.metadata, compression: response.compression });
        let mut messages = response.message;
        // Behind its head a call has been processed, whatever a status says that came from elsewhere.
        while let Some(message) = messages.message().await.map_err(Status::processed)? {
            check(&message, limit, Side::Server)?;
            self.put(deadline, message).await?;
        }
        let trailers = messages.take_trailers();
        dispatch.check_metadata(&trailers)?;
        Ok(trailers)
    }

    fn begin(&mut self, head: Head) {
        if let Some(headed) = self.headed.take() {
            // An error says that the caller has gone, which ends the call in its own way.
            let _ = headed.send(head);
        }
    }

    /// Gives the caller a message, who may take no more of them for a while.
    async fn put(&self, deadline: Option<Instant>, message: Payload) -> Result<(), Status> {
        sent(self.counter.as_deref());
        let sending = async {
            // As above.
            let _ = self.answers.send(message).await;
            Ok(())
        };
        deadline::bound(deadline, sending).await.map_err(Status::processed)
    }
}

fn check(message: &Payload, limit: usize, side: Side) -> Result<(), Status> {
    let size = message.size();
    if size <= limit {
        return Ok(());
    }
    let what = match side {
        Side::Caller => "request",
        Side::Server => "answer",
    };
    let refusal = format!("a {what} of {size} bytes is larger than the limit of {limit} bytes");
    let status = Status::resource_exhausted(refusal);
    Err(match side {
        Side::Caller => status.not_processed(),
        Side::Server => status,
    })
}

/// Counts a message that leaves; nothing encodes it, so it has no bytes.
fn sent(counter: Option<&dyn CallObserver>) {
    if let Some(counter) = counter {
        counter.sent(1);
    }
}

/// What the caller sends. Where that fails, so does the call, and the handler is not told more than that the
/// caller broke off.
struct Requests {
    inner: Streaming<Payload>,
    limit: usize,
    breaking: Option<oneshot::Sender<Status>>,
    /// Counts what arrives.
    counter: Option<Arc<dyn CallObserver>>,
}

impl Source<Payload> for Requests {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = self.inner.poll_message(task);
        let limit = self.limit;
        polled.map(|next| {
            let status = match next? {
                Ok(message) if message.size() <= limit => {
                    messages::received(self.counter.as_deref(), &message);
                    return Some(Ok(message));
                }
                Ok(message) => Status::resource_exhausted(format!(
                    "a request of {} bytes is larger than the limit of {limit} bytes",
                    message.size()
                )),
                Err(status) => status,
            };
            if let Some(breaking) = self.breaking.take() {
                // An error says that the call has ended.
                let _ = breaking.send(status);
            }
            Some(Err(Status::cancelled("the caller broke the call off")))
        })
    }
}
