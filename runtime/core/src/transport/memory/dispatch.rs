use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    NAME,
    connection::Place,
    server::{Server, gone},
};
use crate::{
    Caller, Code, Compression, Context, Limits, Metadata, Payload, Response, Service as _, Shape, Status,
    Streaming, body, deadline, panic,
    streaming::{Event, Source},
    trace::{CallSpan, System},
    transport::Arrival,
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
pub(super) enum Side {
    Caller,
    Server,
}

impl Dispatch {
    /// The largest message that this call may carry.
    pub(super) fn limit(&self, cx: &Context) -> usize {
        let method = self.server.service.method(cx.path()).and_then(|method| method.message_limit());
        let limits = [cx.message_limit, method, Some(self.server.limits.max_message_bytes)];
        limits.into_iter().flatten().fold(self.limits.max_message_bytes, usize::min)
    }

    pub(super) fn check(&self, message: &Payload, limit: usize, side: Side) -> Result<(), Status> {
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

    fn check_metadata(&self, metadata: &Metadata) -> Result<(), Status> {
        self.server.limits.check_metadata(metadata)?;
        self.limits.check_metadata(metadata)
    }

    /// What crosses of a context: not what layers of the caller put beside it.
    fn arriving(&self, cx: Context, limit: usize) -> Context {
        let mut arriving = Context {
            path: cx.path,
            metadata: cx.metadata,
            deadline: cx.deadline,
            codec: cx.codec,
            compression: cx.compression,
            caller: Some(Arc::new(Caller { transport: NAME, identity: None, address: None })),
            message_limit: Some(limit),
            ..Context::new()
        };
        self.arrival.admit(&mut arriving);
        arriving
    }

    /// Calls the handler with one message, in the caller's own task.
    pub(super) fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        let limit = self.limit(&cx);
        let (span, cx) = CallSpan::server(System::Polywire, self.arriving(cx, limit));
        span.run(self.answered(cx, message, limit))
    }

    async fn answered(
        &self,
        cx: Context,
        message: Payload,
        limit: usize,
    ) -> Result<Response<Payload>, Status> {
        let (deadline, path) = (cx.deadline, cx.path.clone());
        let work = panic::guard(path, self.server.service.unary(cx, message));
        let response = self.server.unless_cut(self.idempotent, deadline::bound(deadline, work)).await?;
        self.check_metadata(&response.metadata)?;
        self.check_metadata(&response.trailers)?;
        self.check(&response.message, limit, Side::Server)?;
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
        let answering = Answering { headed: Some(headed), answers };
        tokio::spawn(async move {
            // The place is given up before the caller learns of the end, and may make its next call.
            let outcome = answering.run(self, cx, messages).await;
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
struct Answering {
    /// Tells the caller that the answer begins; gone once it has.
    headed: Option<oneshot::Sender<Head>>,
    answers: mpsc::Sender<Payload>,
}

impl Answering {
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
        let limit = dispatch.limit(&cx);
        let deadline = cx.deadline;
        let (breaking, mut broken) = oneshot::channel();
        let requests = Requests { inner: messages, limit, breaking: Some(breaking) };
        let abandoned = self.answers.clone();
        let (server, idempotent) = (dispatch.server.clone(), dispatch.idempotent);
        let requests = Streaming::from_source(requests).received_with(cx.compression);
        let work = deadline::bound(deadline, self.answer(dispatch, cx, requests));
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

    async fn answer(
        &mut self,
        dispatch: &Dispatch,
        cx: Context,
        mut requests: Streaming<Payload>,
    ) -> Result<Metadata, Status> {
        let limit = dispatch.limit(&cx);
        let service = &dispatch.server.service;
        if service.method(cx.path()).is_some_and(|method| method.shape() == Shape::Unary) {
            let late = "the request took too long to arrive";
            let reading =
                deadline::within(dispatch.server.limits.message_timeout, late, body::single(&mut requests));
            let message = reading.await.map_err(Status::not_processed)?;
            let response = dispatch.unary(cx, message).await?;
            self.begin(Head { metadata: response.metadata, compression: response.compression });
            self.put(response.message).await;
            return Ok(response.trailers);
        }
        let (span, cx) = CallSpan::server(System::Polywire, dispatch.arriving(cx, limit));
        span.run(self.answer_many(dispatch, cx, requests, limit)).await
    }

    async fn answer_many(
        &mut self,
        dispatch: &Dispatch,
        cx: Context,
        requests: Streaming<Payload>,
        limit: usize,
    ) -> Result<Metadata, Status> {
        let path = cx.path.clone();
        let response = panic::guard(path.clone(), dispatch.server.service.stream(cx, requests)).await?;
        dispatch.check_metadata(&response.metadata)?;
        self.begin(Head { metadata: response.metadata, compression: response.compression });
        let mut messages = panic::guard_stream(path, response.message);
        while let Some(message) = messages.message().await? {
            dispatch.check(&message, limit, Side::Server)?;
            self.put(message).await;
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

    async fn put(&self, message: Payload) {
        // As above.
        let _ = self.answers.send(message).await;
    }
}

/// What the caller sends. Where that fails, so does the call, and the handler is not told more than that the
/// caller broke off.
struct Requests {
    inner: Streaming<Payload>,
    limit: usize,
    breaking: Option<oneshot::Sender<Status>>,
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
                Ok(message) if message.size() <= limit => return Some(Ok(message)),
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
