//! A transport that breaks one rule at a time. Each must be noticed: a case that cannot fail shows nothing.

use std::{future::pending, time::Duration};

use bytes::BytesMut;
use futures_util::StreamExt;
use polywire::{
    Channel, Code, Codec, ConnectOptions, Context, Drain, Metadata, Payload, Response, Service, Status,
    Streaming, config,
    conformance::{Case, Conformance, Outcome},
    grpc::{self, Grpc},
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

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
    /// One of a thousand messages is lost.
    Losses,
    /// The last byte of each message is lost.
    Truncation,
    /// Answers are read ahead of their reader, and requests ahead of the network.
    Backpressure,
    /// A panic's text is told to the caller.
    Panics,
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
            Fault::Codes if status.code() == Code::Aborted => Status::internal(status.message().to_owned()),
            Fault::NotProcessed => status.not_processed(),
            _ => status,
        }
    }
}

impl Service for Caller {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let _turn = if self.fault == Fault::Concurrency { self.turn.acquire().await.ok() } else { None };
        let inner = self.inner.clone();
        let call = async move { inner.unary(cx, message).await };
        let outcome = if self.fault == Fault::Cancellation {
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
        if keeps_deadline && self.fault != Fault::RequestMetadata {
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
        if !keeps_deadline {
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
        outcome.map_err(|status| match (self.fault, status.code()) {
            (Fault::Panics, Code::Internal) => Status::unknown("the handler has gone"),
            _ => status,
        })
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

fn suite(fault: Fault) -> Conformance {
    let config =
        config::Grpc { bind_address: LOOPBACK, max_concurrent_streams: 16, ..config::Grpc::default() };
    let allocated = || super::ALLOCATOR.current_usage();
    Conformance::new(Broken(fault), config)
        .named(format!("{fault:?}"))
        .concurrency_limit(16)
        .allocated(allocated, super::TOLERANCE)
        .time_limit(Duration::from_secs(10))
}

/// Each fault, and the cases that must notice it.
const FAULTS: &[(Fault, &[Case])] = &[
    (Fault::Trailers, &[Case::AnswerMetadata, Case::StreamMetadata]),
    (Fault::RequestMetadata, &[Case::RequestMetadata]),
    (Fault::Deadline, &[Case::TimeLeft]),
    (Fault::Cancellation, &[Case::CallDropped, Case::CallDroppedAtOnce]),
    (Fault::Codes, &[Case::Codes]),
    (Fault::NotProcessed, &[Case::ServerDies, Case::DrainCut]),
    (Fault::Losses, &[Case::Download]),
    (Fault::Truncation, &[Case::Unary, Case::OldClient, Case::NewClient]),
    (Fault::Backpressure, &[Case::SlowCaller, Case::SlowHandler]),
    (Fault::Panics, &[Case::Panics]),
    (Fault::Drain, &[Case::DrainFinishes, Case::DrainRefuses, Case::DrainIdle]),
    (Fault::Death, &[Case::ServerDies]),
    (Fault::Leak, &[Case::Unary]),
    (Fault::Memory, &[Case::Memory]),
    (Fault::Gauge, &[Case::Connections]),
    (Fault::Name, &[Case::Caller]),
    (Fault::Concurrency, &[Case::AtOnce]),
    (Fault::Interleaving, &[Case::Exchange]),
];

#[test]
fn a_transport_that_breaks_a_rule_is_found_out() {
    let mut missed = Vec::new();
    for (fault, cases) in FAULTS {
        for result in suite(*fault).only(cases.iter().copied()).run().results() {
            println!("{fault:?}: {}: {:?}", result.case, result.outcome);
            if !matches!(result.outcome, Outcome::Failed(_)) {
                missed.push((*fault, result.case));
            }
        }
    }
    assert!(missed.is_empty(), "these faults were not noticed by these cases: {missed:?}");
}

#[test]
fn the_same_transport_without_a_fault_passes_those_cases() {
    let cases = FAULTS.iter().flat_map(|(_, cases)| cases.iter().copied());
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
    let cases = [Case::RequestOverServers, Case::AnswerOverServers, Case::AtOnce];
    let report = Conformance::new(Grpc, config).concurrency_limit(16).only(cases).run();
    for result in report.results() {
        assert!(matches!(result.outcome, Outcome::Failed(_)), "{}: {:?}", result.case, result.outcome);
    }
}

#[test]
fn a_case_that_cannot_be_asked_is_left_out_with_its_reason() {
    let cases = [Case::Unary, Case::Caller];
    let report = suite(Fault::Name).only(cases).without(Case::Caller, "pigeons carry no names").run();
    report.assert();
    let text = report.to_string();
    assert!(text.contains("pigeons carry no names") && text.contains("1 not applicable"), "{text}");
    let table = polywire::conformance::matrix(&[report]);
    assert!(table.contains("| - (1) |") && table.contains("1. pigeons carry no names"), "{table}");
}
