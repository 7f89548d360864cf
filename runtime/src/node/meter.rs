use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use crate::{
    Channel, Context, Metadata, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    metrics::{CallMetrics, InFlight, Metrics, Side},
    streaming::Source,
};

/// Counts the calls that are answered. A stream is counted once, with the status at its end.
pub(super) struct Meter {
    inner: Channel,
    metrics: Metrics,
}

impl Meter {
    pub(super) fn new(inner: impl Service, metrics: Metrics) -> Self {
        Self { inner: inner.into_channel(), metrics }
    }

    fn start(&self, cx: &Context) -> InFlight {
        let known = self.inner.method(cx.path());
        let (service, method) =
            known.map_or(("unknown", "unknown"), |method| (method.service(), method.name()));
        self.metrics.call(Side::Server, service, method, cx.transport()).start().with_deadline(cx.deadline())
    }
}

impl Service for Meter {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let call = self.start(&cx);
        received(call.call(), &message);
        match self.inner.unary(cx, message).await {
            Ok(response) => {
                let counter = call.call().clone();
                call.finish("OK");
                Ok(response.map(|message| sent(&counter, message)))
            }
            Err(status) => {
                call.finish(status.code().name());
                Err(status)
            }
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let call = self.start(&cx);
        let requests = Requests { inner: messages, counter: call.call().clone() };
        match self.inner.stream(cx, Streaming::from_source(requests)).await {
            Ok(response) => {
                Ok(response.map(|inner| Streaming::from_source(Answers { inner, call: Some(call) })))
            }
            Err(status) => {
                call.finish(status.code().name());
                Err(status)
            }
        }
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}

struct Requests {
    inner: Streaming<Payload>,
    counter: CallMetrics,
}

impl Source<Payload> for Requests {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = self.inner.poll_message(task);
        if let Poll::Ready(Some(Ok(message))) = &polled {
            received(&self.counter, message);
        }
        polled
    }
}

struct Answers {
    inner: Streaming<Payload>,
    call: Option<InFlight>,
}

impl Answers {
    fn finish(&mut self, code: &'static str) {
        if let Some(call) = self.call.take() {
            call.finish(code);
        }
    }
}

impl Source<Payload> for Answers {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = self.inner.poll_message(task);
        polled.map(|next| match next {
            Some(Ok(message)) => Some(Ok(match &self.call {
                Some(call) => sent(call.call(), message),
                None => message,
            })),
            Some(Err(status)) => {
                self.finish(status.code().name());
                Some(Err(status))
            }
            None => {
                self.finish("OK");
                None
            }
        })
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

fn received(counter: &CallMetrics, message: &Payload) {
    counter.received(1, message.encoded_len().unwrap_or(0) as u64);
}

/// How large the answer is shows when a transport encodes it.
fn sent(counter: &CallMetrics, message: Payload) -> Payload {
    counter.sent(1, 0);
    message.observed(counter.observer())
}
