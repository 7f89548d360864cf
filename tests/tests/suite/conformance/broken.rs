//! A transport that breaks one rule at a time. Each must be noticed: a case that cannot fail shows nothing.

use std::{
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::StreamExt;
use polywire::{
    Channel, Code, Codec, ConnectOptions, Context, Drain, Metadata, Payload, Response, Service,
    ServiceExt as _, Status, Streaming, config,
    grpc::{self, Grpc},
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

use polywire_conformance::{Case, Conformance, Outcome};

use super::LOOPBACK;

/// The rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Trailing metadata is lost.
    Trailers,
    /// The caller's metadata is lost.
    RequestMetadata,
    /// The time that the caller waits is not told.
    Deadline,
    /// A call that was dropped goes on.
    Cancellation,
    /// ABORTED arrives as INTERNAL, and so on for every code.
    Codes,
    /// Every failure claims that nothing was processed.
    NotProcessed,
    /// No failure claims that.
    Unsure,
    /// One of a thousand messages is lost.
    Losses,
    /// The last byte of each message is lost.
    Truncation,
    /// Answers are read ahead of their reader, and requests ahead of the network.
    Backpressure,
    /// A panic's text is told to the caller.
    PanicText,
    /// A panic arrives as UNKNOWN.
    PanicCode,
    /// Draining changes nothing.
    Drain,
    /// The server goes on when the task that serves has ended.
    Death,
    /// A task is left behind by each channel.
    Leak,
    /// Memory is left behind by each call.
    Memory,
    /// Connections are not counted.
    Gauge,
    /// Calls are said to come over something else.
    Name,
    /// One call at a time.
    Concurrency,
    /// Requests are only sent once all are there.
    Interleaving,
    /// The handler is not told how requests came.
    RequestCompression,
    /// Answers travel plain, whatever the handler wants.
    AnswerCompression,
    /// All messages of a stream are compressed, whatever it chooses.
    Choice,
    /// A call goes on past its deadline, of which the server is not told.
    Patience,
}

#[derive(Clone, Copy)]
struct Broken(Fault);

impl Transport for Broken {
    type Config = config::Grpc;
    type Address = grpc::Address;
    type Bound = BrokenListening;

    fn name(&self) -> &'static str {
        if self.0 == Fault::Name { "pigeon" } else { Grpc.name() }
    }

    fn schemes(&self) -> &'static [Scheme] {
        Grpc.schemes()
    }

    fn codec(&self) -> Codec {
        Grpc.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<grpc::Address, String> {
        Grpc.parse(scheme, rest)
    }

    async fn connect(&self, address: grpc::Address, options: ConnectOptions) -> Result<Connected, Status> {
        let fault = self.0;
        if fault == Fault::Leak {
            tokio::spawn(pending::<()>());
        }
        let channel = Grpc.connect(address, options).await?.channel;
        Ok(Connected::new(Caller { inner: channel, fault, turn: tokio::sync::Semaphore::new(1) }))
    }

    async fn bind(&self, config: config::Grpc, node: BindContext) -> Result<BrokenListening, BindError> {
        Ok(BrokenListening { inner: Grpc.bind(config, node).await?, fault: self.0 })
    }
}

struct BrokenListening {
    inner: grpc::Listening,
    fault: Fault,
}

impl Bound for BrokenListening {
    fn target(&self) -> String {
        self.inner.target()
    }

    async fn serve(self, mut serving: Serving) {
        let Self { inner, fault } = self;
        serving.service = Answerer { inner: serving.service, fault }.into_channel();
        let drain = serving.drain.clone();
        match fault {
            Fault::Drain => serving.drain = Drain::new(),
            Fault::Gauge => serving.connections = None,
            _ => {}
        }
        if fault == Fault::Death {
            tokio::spawn(inner.serve(serving));
            drain.cutting().await;
        } else {
            inner.serve(serving).await;
        }
    }
}

/// The calling side.
struct Caller {
    inner: Channel,
    fault: Fault,
    turn: tokio::sync::Semaphore,
}

impl Caller {
    fn failure(&self, status: Status) -> Status {
        match self.fault {
            Fault::Codes if matches!(status.code(), Code::Aborted | Code::InvalidArgument) => {
                Status::internal(status.message().to_owned())
            }
            Fault::NotProcessed => status.not_processed(),
            Fault::Unsure => Status::new(status.code(), status.message().to_owned()),
            _ => status,
        }
    }
}

impl Service for Caller {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let _turn = if self.fault == Fault::Concurrency { self.turn.acquire().await.ok() } else { None };
        let inner = self.inner.clone();
        let cx = if self.fault == Fault::Patience { patient(&cx)? } else { cx };
        let call = async move { inner.unary(cx, message).await };
        let outcome = if matches!(self.fault, Fault::Cancellation | Fault::Patience) {
            tokio::spawn(call).await.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
        } else {
            call.await
        };
        let mut response = outcome.map_err(|status| self.failure(status))?;
        match self.fault {
            Fault::Trailers => response.trailers = Metadata::new(),
            Fault::Memory => std::mem::forget(vec![0_u8; 1 << 10]),
            _ => {}
        }
        Ok(response)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let messages = match self.fault {
            Fault::Backpressure => read_ahead(messages),
            Fault::Interleaving => Streaming::from_iter(collect(messages).await?),
            // Made anew of its bytes alone, a message does not know that it is to stay plain.
            Fault::Choice => {
                let codec = cx.codec().unwrap_or(Grpc.codec());
                Streaming::new(messages.map(move |message| recoded(codec, message?)))
            }
            _ => messages,
        };
        let response = self.inner.stream(cx, messages).await.map_err(|status| self.failure(status))?;
        let fault = self.fault;
        Ok(response.map(|answers| match fault {
            Fault::Backpressure => read_ahead(answers),
            // Made anew of its messages alone, a stream has no trailers.
            Fault::Trailers => Streaming::new(answers),
            Fault::Losses => Streaming::new(
                answers.enumerate().filter_map(async |(at, answer)| (at % 1_000 != 999).then_some(answer)),
            ),
            _ => answers,
        }))
    }
}

/// The answering side.
struct Answerer {
    inner: Channel,
    fault: Fault,
}

impl Answerer {
    /// The context without what the fault loses.
    fn context(&self, cx: Context) -> Result<Context, Status> {
        let keeps_deadline = self.fault != Fault::Deadline;
        let loses = [Fault::Deadline, Fault::RequestMetadata, Fault::RequestCompression];
        if !loses.contains(&self.fault) {
            return Ok(cx);
        }
        let caller = cx.caller().cloned().ok_or_else(|| Status::internal("a call of nobody's"))?;
        let mut rebuilt = Context::incoming(cx.path().to_owned(), caller.into())?;
        if let Some(codec) = cx.codec() {
            rebuilt = rebuilt.with_codec(codec);
        }
        if let (true, Some(left)) = (keeps_deadline, cx.time_left()) {
            rebuilt = rebuilt.with_timeout(left);
        }
        if self.fault != Fault::RequestMetadata {
            *rebuilt.metadata_mut() = cx.metadata().clone();
        }
        Ok(rebuilt)
    }

    fn message(&self, codec: Option<Codec>, message: Payload) -> Result<Payload, Status> {
        let (Fault::Truncation, Some(codec)) = (self.fault, codec) else { return Ok(message) };
        let mut buffer = BytesMut::new();
        message.encode(codec, &mut buffer)?;
        buffer.truncate(buffer.len().saturating_sub(1));
        Ok(Payload::encoded(codec, buffer.freeze()))
    }
}

impl Service for Answerer {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let message = self.message(cx.codec(), message)?;
        let outcome = self.inner.unary(self.context(cx)?, message).await;
        let outcome = outcome.map_err(|status| match (self.fault, status.code()) {
            (Fault::PanicText, Code::Internal) => Status::internal(last_panic()),
            (Fault::PanicCode, Code::Internal) => Status::unknown(status.message().to_owned()),
            _ => status,
        });
        let mut response = outcome?;
        if self.fault == Fault::AnswerCompression {
            response.compression = None;
        }
        Ok(response)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.inner.stream(self.context(cx)?, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static polywire::Method> {
        self.inner.method(path)
    }
}

/// The same call, without its deadline.
fn patient(cx: &Context) -> Result<Context, Status> {
    let caller = polywire::Caller { transport: "grpc", identity: None, address: None };
    let patient = Context::incoming(cx.path().to_owned(), caller.into())?;
    Ok(match cx.codec() {
        Some(codec) => patient.with_codec(codec),
        None => patient,
    })
}

/// The same message, of its bytes alone.
fn recoded(codec: Codec, message: Payload) -> Result<Payload, Status> {
    let mut buffer = BytesMut::new();
    message.encode(codec, &mut buffer)?;
    Ok(Payload::encoded(codec, buffer.freeze()))
}

/// The same messages, taken as fast as they come.
fn read_ahead(mut messages: Streaming<Payload>) -> Streaming<Payload> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    Streaming::new(futures_util::stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    }))
}

async fn collect(mut messages: Streaming<Payload>) -> Result<Vec<Payload>, Status> {
    let mut all = Vec::new();
    while let Some(message) = messages.message().await? {
        all.push(message);
    }
    Ok(all)
}

/// What the last panic of this process said. The hook that there was goes on to be called.
fn last_panic() -> String {
    LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn remember_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
        before(info);
    }));
}

/// How long a case of this fault may take. One that is about time or memory is not ended by the clock: what it has
/// to say must be said by itself.
fn time_limit(fault: Fault) -> Duration {
    Duration::from_secs(if fault == Fault::Interleaving { 10 } else { 60 })
}

fn suite(fault: Fault) -> Conformance {
    let config =
        config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: 16, ..config::Grpc::default() };
    let allocated = || super::ALLOCATOR.current_usage();
    Conformance::new(Broken(fault), config)
        .named(format!("{fault:?}"))
        .concurrency_limit(16)
        .allocated(allocated, super::TOLERANCE)
        .time_limit(time_limit(fault))
}

/// Each fault, the cases that must notice it, and what each must say of it.
const FAULTS: &[(Fault, &[(Case, &str)])] = &[
    (
        Fault::Trailers,
        &[(Case::AnswerMetadata, "expected [\"trail\"]"), (Case::StreamMetadata, "expected [\"trail\"]")],
    ),
    (Fault::RequestMetadata, &[(Case::RequestMetadata, "what the unary handler found wrong")]),
    (Fault::Deadline, &[(Case::TimeLeft, "60 s left of 60 s, found 0 ms")]),
    (
        Fault::Cancellation,
        &[
            (Case::CallDropped, "expected 0 handlers alive within 2s, found 1"),
            (Case::CallDroppedAtOnce, "expected 0 handlers alive within 2s, found 8"),
            (Case::DroppedInQueue, "expected 16 handlers to begin after the call has gone, found 17"),
            (Case::DroppedInDial, "expected 0 handlers alive within 2s, found 3"),
        ],
    ),
    (
        Fault::Patience,
        &[
            (Case::DeadlineInQueue, "expected 16 handlers to begin after the call has gone, found 17"),
            (Case::DeadlineInDial, "expected 0 handlers alive within 2s, found 1"),
            (Case::DeadlineOver, "expected DEADLINE_EXCEEDED, found the answer"),
        ],
    ),
    (
        Fault::Codes,
        &[
            (Case::Codes, "expected INVALID_ARGUMENT, found INTERNAL"),
            (Case::Undecodable, "expected INVALID_ARGUMENT, found INTERNAL"),
        ],
    ),
    (
        Fault::NotProcessed,
        &[
            (Case::ServerDies, "expected a status that does not deny what was processed"),
            (Case::DrainCut, "expected a status that does not deny what was processed"),
            (Case::Seen, "expected a status that does not deny what a handler saw"),
        ],
    ),
    (Fault::Unsure, &[(Case::Unseen, "expected a status that says that nothing was processed")]),
    (Fault::Losses, &[(Case::Download, "the answer's number: expected 999, found 1000")]),
    (
        Fault::Truncation,
        &[
            (Case::Unary, "message does not decode"),
            (Case::OldClient, "message does not decode"),
            (Case::NewClient, "message does not decode"),
        ],
    ),
    (
        Fault::Backpressure,
        &[
            (Case::SlowCaller, "expected a sender to wait for its reader"),
            (Case::SlowHandler, "expected a sender to wait for its reader"),
        ],
    ),
    (Fault::PanicText, &[(Case::Panics, "expected that the panic's text stays at the server")]),
    (Fault::PanicCode, &[(Case::Panics, "expected INTERNAL, found UNKNOWN")]),
    (
        Fault::Drain,
        &[
            (Case::DrainFinishes, "the end of serving once nothing is in flight"),
            (Case::DrainRefuses, "found none refused"),
            (Case::DrainIdle, "the end of serving an idle connection"),
        ],
    ),
    (Fault::Death, &[(Case::ServerDies, "the end of a call whose server died")]),
    (Fault::Leak, &[(Case::Unary, "expected no task after the case within 4s, found 1")]),
    (Fault::Memory, &[(Case::Memory, "bytes more after a thousand calls of each shape, found 1")]),
    (Fault::Gauge, &[(Case::Connections, "the number of connections that have opened: expected 1, found 0")]),
    (Fault::Name, &[(Case::Caller, "expected \"pigeon\", found \"grpc\"")]),
    (Fault::Concurrency, &[(Case::AtOnce, "as many calls at once as the limit allows")]),
    (Fault::Interleaving, &[(Case::Exchange, "expected an end within 10s, found none")]),
    (
        Fault::RequestCompression,
        &[
            (Case::Gzip, "how the request came: expected \"gzip\", found \"plain\""),
            (Case::Zstd, "how the request came: expected \"zstd\", found \"plain\""),
        ],
    ),
    (
        Fault::AnswerCompression,
        &[
            (Case::Gzip, "how the answer came: expected \"gzip\", found \"plain\""),
            (Case::Zstd, "how the answer came: expected \"zstd\", found \"plain\""),
        ],
    ),
    (
        Fault::Choice,
        &[
            (Case::GzipByMessage, "how a request came: expected \"plain\", found \"gzip\""),
            (Case::ZstdByMessage, "how a request came: expected \"plain\", found \"zstd\""),
        ],
    ),
];

#[test]
fn a_transport_that_breaks_a_rule_is_found_out() {
    remember_panics();
    let mut missed = Vec::new();
    for (fault, cases) in FAULTS {
        let report = suite(*fault).only(cases.iter().map(|(case, _)| *case)).run();
        assert_eq!(report.results().len(), cases.len(), "{report}");
        for result in report.results() {
            println!("{fault:?}: {:?}: {:?}", result.case, result.outcome);
            let expected = cases.iter().find(|(case, _)| *case == result.case).map(|(_, said)| *said);
            let Outcome::Failed(said) = &result.outcome else {
                missed.push((*fault, result.case, "nothing".to_owned()));
                continue;
            };
            if expected.is_none_or(|expected| !said.contains(expected)) {
                missed.push((*fault, result.case, said.clone()));
            }
        }
    }
    assert!(missed.is_empty(), "these faults were not found, or taken for others: {missed:#?}");
}

#[test]
fn the_same_transport_without_a_fault_passes_those_cases() {
    let cases = FAULTS.iter().flat_map(|(_, cases)| cases.iter().map(|(case, _)| *case));
    suite(Fault::Nothing).only(cases).run().assert();
}

#[test]
fn a_server_that_takes_more_than_it_says_is_found_out() {
    let config = config::Grpc {
        bind_address: LOOPBACK,
        max_message_size: 64 << 20,
        max_concurrent_streams: 1_000,
        ..config::Grpc::default()
    };
    let taken = "expected RESOURCE_EXHAUSTED, found the answer";
    let cases = [
        (Case::RequestOverServers, taken),
        (Case::AnswerOverServers, taken),
        (Case::GzipBomb, taken),
        (Case::ZstdBomb, taken),
        (Case::AtOnce, "expected at most 16 calls at a time on a connection, found more"),
    ];
    let report = Conformance::new(Grpc, config).concurrency_limit(16).only(cases.map(|(case, _)| case)).run();
    for (case, expected) in cases {
        let result = report.results().iter().find(|result| result.case == case).unwrap();
        let found = matches!(&result.outcome, Outcome::Failed(said) if said.contains(expected));
        assert!(found, "{case}: {:?}", result.outcome);
    }
}

#[test]
fn a_case_that_cannot_be_asked_is_left_out_with_its_reason() {
    let cases = [Case::Unary, Case::Caller];
    let report = suite(Fault::Name).only(cases).without(Case::Caller, "pigeons carry no names").run();
    report.assert();
    let text = report.to_string();
    assert!(text.contains("pigeons carry no names") && text.contains("1 not applicable"), "{text}");
    let table = polywire_conformance::matrix(&[report]);
    assert!(table.contains("| - (1) |") && table.contains("1. pigeons carry no names"), "{table}");
}
