use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use crate::{
    Channel, Code, Context, Metadata, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    context::Path,
    method,
    observer::{CallObserver, InFlight, Observer, Side, UNKNOWN},
    streaming::Source,
};

/// Counts calls that leave the process, or that stay within it. A stream counts once, with its final status. Calls that
/// arrive over a network are counted by the inbound edge, which knows the status that the caller sees.
pub struct Meter {
    inner: Channel,
    observer: Arc<dyn Observer>,
    end: End,
}

/// The end of the calls at which a meter is.
#[derive(Clone, Copy)]
enum End {
    /// Calls of the process to itself, each counted for its transport.
    Server,
    /// Outgoing calls over this transport.
    Client(&'static str),
}

/// A call that is counted, with its messages, until it is finished.
struct Started {
    counter: Arc<dyn CallObserver>,
    call: Option<InFlight>,
}

impl Started {
    fn finish(&mut self, code: Code) {
        if let Some(call) = self.call.take() {
            call.finish(code);
        }
    }
}

/// The direction of a message, seen from the meter's end.
#[derive(Clone, Copy)]
enum Flow {
    In,
    Out,
}

impl Meter {
    /// Counts the calls that `inner` answers.
    pub fn server(inner: impl Service, observer: Arc<dyn Observer>) -> Self {
        Self { inner: Channel::new(inner), observer, end: End::Server }
    }

    /// Counts the calls made through `inner`, over this transport.
    pub fn client(inner: impl Service, observer: Arc<dyn Observer>, transport: &'static str) -> Self {
        Self { inner: Channel::new(inner), observer, end: End::Client(transport) }
    }

    fn start(&self, cx: &Context) -> Started {
        let (side, transport) = match self.end {
            End::Server => (Side::Server, cx.transport()),
            End::Client(transport) => (Side::Client, transport),
        };
        let (service, method) = self.names(cx);
        let counter = self.observer.call(side, service, method, transport);
        let call = Some(InFlight::start(counter.clone(), cx.deadline()));
        Started { counter, call }
    }

    /// The labels of the call. A peer can invent received paths; paths of this program, such as those of generated
    /// clients, are a bounded set.
    fn names(&self, cx: &Context) -> (&'static str, &'static str) {
        let known = cx.method.filter(|method| method.path() == cx.path());
        if let Some(known) = known.or_else(|| self.inner.method(cx.path())) {
            return (known.service(), known.name());
        }
        match (self.end, &cx.path) {
            (End::Client(_), Path::Static(path)) if !path.is_empty() => method::split(path),
            _ => UNKNOWN,
        }
    }

    fn requests(&self) -> Flow {
        match self.end {
            End::Server => Flow::In,
            End::Client(_) => Flow::Out,
        }
    }

    fn answers(&self) -> Flow {
        match self.end {
            End::Server => Flow::Out,
            End::Client(_) => Flow::In,
        }
    }
}

impl Service for Meter {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut call = self.start(&cx);
        let message = self.requests().count(&call.counter, message);
        match self.inner.unary(cx, message).await {
            Ok(response) => {
                call.finish(Code::Ok);
                Ok(response.map(|message| self.answers().count(&call.counter, message)))
            }
            Err(status) => {
                call.finish(status.code());
                Err(status)
            }
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let mut call = self.start(&cx);
        let requests = requests(messages, self.requests(), &call.counter);
        let flow = self.answers();
        match self.inner.stream(cx, requests).await {
            Ok(response) => Ok(response.map(|inner| Streaming::from_source(Answers { inner, flow, call }))),
            Err(status) => {
                call.finish(status.code());
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

impl Flow {
    /// Counts the message. The size of an outgoing message is known when a transport encodes it.
    fn count(self, counter: &Arc<dyn CallObserver>, message: Payload) -> Payload {
        match self {
            Self::In => {
                counter.received(1, message.encoded_len().unwrap_or(0) as u64);
                message
            }
            Self::Out => {
                counter.sent(1);
                message.observed(counter.clone())
            }
        }
    }
}

/// Counts the requests. A single request stays single, as transports have a faster path for it.
fn requests(messages: Streaming<Payload>, flow: Flow, counter: &Arc<dyn CallObserver>) -> Streaming<Payload> {
    match messages.into_single() {
        Ok(message) => Streaming::once(flow.count(counter, message)),
        Err(messages) if !messages.runs_code() => messages,
        Err(inner) => Streaming::from_source(Requests { inner, flow, counter: counter.clone() }),
    }
}

struct Requests {
    inner: Streaming<Payload>,
    flow: Flow,
    counter: Arc<dyn CallObserver>,
}

impl Source<Payload> for Requests {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = self.inner.poll_message(task);
        polled.map(|next| next.map(|next| next.map(|message| self.flow.count(&self.counter, message))))
    }
}

struct Answers {
    inner: Streaming<Payload>,
    flow: Flow,
    call: Started,
}

impl Source<Payload> for Answers {
    fn poll_message(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Payload, Status>>> {
        let polled = self.inner.poll_message(task);
        polled.map(|next| match next {
            Some(Ok(message)) => Some(Ok(self.flow.count(&self.call.counter, message))),
            Some(Err(status)) => {
                self.call.finish(status.code());
                Some(Err(status))
            }
            None => {
                self.call.finish(Code::Ok);
                None
            }
        })
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Metadata {
        self.inner.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::{Codec, observer::recorder::Recorder};

    /// Encodes each message, as a transport does, and echoes the bytes; answers `no` with `Aborted`.
    struct Wire;

    fn across(message: &Payload) -> Result<Payload, Status> {
        let mut buffer = BytesMut::new();
        message.encode(Codec::Protobuf, &mut buffer)?;
        match &buffer[..] {
            b"no" => Err(Status::aborted("as asked")),
            _ => Ok(Payload::encoded(Codec::Protobuf, buffer.freeze())),
        }
    }

    impl Service for Wire {
        async fn unary(&self, _: Context, message: Payload) -> Result<Response<Payload>, Status> {
            Ok(Response::new(across(&message)?))
        }

        async fn stream(
            &self,
            _: Context,
            messages: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            let across = futures_util::StreamExt::map(messages, |message| across(&message?));
            Ok(Response::new(Streaming::new(across)))
        }
    }

    fn message(text: &'static str) -> Payload {
        Payload::encoded(Codec::Protobuf, Bytes::from_static(text.as_bytes()))
    }

    fn from_program() -> Context {
        Context { path: Path::Static("/shop.v1.Shop/Buy"), ..Context::new() }
    }

    fn from_peer(path: &str) -> Context {
        Context { path: Path::parse(path.to_owned().into()).unwrap(), ..Context::new() }
    }

    /// What a client's meter has counted that is not zero, durations apart.
    fn counted(metrics: &Recorder) -> BTreeMap<String, u64> {
        let page = metrics.page();
        let own = page.lines().filter_map(|line| line.strip_prefix("polywire_client_"));
        let sample = own.filter(|line| !line.contains("duration")).filter_map(|line| line.rsplit_once(' '));
        sample
            .map(|(name, value)| (name.to_owned(), value.parse::<f64>().unwrap() as u64))
            .filter(|(_, value)| *value > 0)
            .collect()
    }

    fn series(name: &str, code: Option<&str>, method: &str, service: &str) -> String {
        let code = code.map(|code| format!("code=\"{code}\",")).unwrap_or_default();
        format!("{name}{{{code}method=\"{method}\",service=\"{service}\",transport=\"wire\"}}")
    }

    fn of_shop(name: &str, code: Option<&str>) -> String {
        series(name, code, "Buy", "shop.v1.Shop")
    }

    fn client(metrics: &Recorder) -> Meter {
        Meter::client(Wire, Arc::new(metrics.clone()), "wire")
    }

    #[tokio::test]
    async fn a_call_that_is_made_is_counted_with_its_code_and_the_bytes_of_both_ways() {
        let metrics = Recorder::default();
        let client = client(&metrics);
        client.unary(from_program(), message("three")).await.unwrap();
        assert_eq!(client.unary(from_program(), message("no")).await.unwrap_err().code(), Code::Aborted);
        let expected = BTreeMap::from([
            (of_shop("calls_total", Some("OK")), 1),
            (of_shop("calls_total", Some("ABORTED")), 1),
            (of_shop("messages_sent_total", None), 2),
            (of_shop("bytes_sent_total", None), 7),
            (of_shop("messages_received_total", None), 1),
            (of_shop("bytes_received_total", None), 5),
        ]);
        assert_eq!(counted(&metrics), expected);
    }

    #[tokio::test]
    async fn a_stream_that_is_made_counts_once_at_its_end() {
        let metrics = Recorder::default();
        let client = client(&metrics);
        for (last, code) in [("yes", "OK"), ("no", "ABORTED")] {
            let requests = Streaming::from_iter([message("one"), message(last)]);
            let mut answers = client.stream(from_program(), requests).await.unwrap().into_message();
            answers.message().await.unwrap().unwrap();
            let now = counted(&metrics);
            assert_eq!(now.get(&of_shop("calls_in_flight", None)), Some(&1), "{now:?}");
            assert_eq!(now.get(&of_shop("calls_total", Some(code))), None, "{now:?}");
            while let Ok(Some(_)) = answers.message().await {}
            drop(answers);
            let now = counted(&metrics);
            assert_eq!(now.get(&of_shop("calls_in_flight", None)), None, "{now:?}");
            assert_eq!(now.get(&of_shop("calls_total", Some(code))), Some(&1), "{now:?}");
        }
        let requests = Streaming::from_iter([message("one")]);
        drop(client.stream(from_program(), requests).await.unwrap());
        let now = counted(&metrics);
        assert_eq!(now.get(&of_shop("calls_total", Some("CANCELLED"))), Some(&1), "{now:?}");
        assert_eq!(now.get(&of_shop("messages_sent_total", None)), Some(&4), "unread messages were not sent");
        assert_eq!(now.get(&of_shop("bytes_sent_total", None)), Some(&11), "{now:?}");
    }

    #[tokio::test]
    async fn names_that_a_peer_made_up_are_counted_as_unknown() {
        let metrics = Recorder::default();
        let client = client(&metrics);
        for number in 0..50 {
            let cx = from_peer(&format!("/made.up.V{number}/Method{number}"));
            client.unary(cx, message("one")).await.unwrap();
        }
        let now = counted(&metrics);
        assert_eq!(now.get(&series("calls_total", Some("OK"), "unknown", "unknown")), Some(&50), "{now:?}");
        assert!(!metrics.page().contains("made"));
    }

    #[tokio::test]
    async fn a_single_request_stays_one() {
        struct Single;
        impl Service for Single {
            async fn unary(&self, _: Context, message: Payload) -> Result<Response<Payload>, Status> {
                Ok(Response::new(message))
            }

            async fn stream(
                &self,
                _: Context,
                messages: Streaming<Payload>,
            ) -> Result<Response<Streaming<Payload>>, Status> {
                let single = messages.into_single().map_err(|_| Status::internal("it became a stream"))?;
                Ok(Response::new(Streaming::once(single)))
            }
        }
        let meter = Meter::client(Single, Arc::new(Recorder::default()), "wire");
        meter.stream(from_program(), Streaming::once(message("one"))).await.unwrap();
    }
}
