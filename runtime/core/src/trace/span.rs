use std::future::Future;

use tokio::time::Instant;
use tracing::{Span, field};

use super::{
    TARGET, bridge,
    traced::{Traced, TracedOpening},
};
use crate::{
    Caller, Code, Context, Payload, Response, Status, Streaming, context::Path, deadline,
    metadata::PREVIOUS_ATTEMPTS, method,
};

/// The span of a call at one of its ends; nothing where no subscriber wants it.
///
/// One that is dropped before the call has ended says that it was cancelled, or that its deadline has passed.
#[must_use]
pub(crate) struct CallSpan(Option<Box<Open>>);

/// A span that has not ended.
pub(super) struct Open {
    span: Span,
    side: Side,
    call: Ending,
    deadline: Option<Instant>,
    ended: bool,
}

/// What the log is told of a call when it ends.
struct Ending {
    path: Path,
    transport: &'static str,
    peer: Option<String>,
    trace: Option<u128>,
    begun: Instant,
}

/// How much of a failure's message is in the log, in bytes: it may come from a peer.
const MOST_OF_A_MESSAGE: usize = 256;

/// The protocol that carries a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum System {
    #[cfg(feature = "grpc")]
    Grpc,
    Polywire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Both sides have the same fields and differ in where they get their parents from.
macro_rules! call_span {
    ($($parent:ident: $none:expr,)? $kind:literal, $system:expr, $transport:expr, $cx:expr) => {
        tracing::debug_span!(
            target: TARGET,
            $($parent: $none,)?
            "rpc",
            otel.name = $cx.path().trim_start_matches('/'),
            otel.kind = $kind,
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            rpc.system = $system.name(),
            rpc.service = method::split($cx.path()).0,
            rpc.method = method::split($cx.path()).1,
            rpc.grpc.status_code = field::Empty,
            polywire.transport = $transport,
            polywire.previous_attempts = $cx.metadata().get(PREVIOUS_ATTEMPTS),
            network.peer.address = $cx.caller().and_then(|caller| caller.address.as_deref()),
            trace_id = field::Empty,
        )
    };
}

impl CallSpan {
    /// A call leaves this process. It belongs to the trace of the context that it is made with, or of the span that
    /// it is made in; the context says then, to the peer, that the call's parent is this span.
    pub(crate) fn client(system: System, transport: &'static str, cx: &mut Context) -> Self {
        let span = call_span!("client", system, transport, cx);
        let mut own = None;
        if !span.is_disabled() {
            // A span that is current is nearer than the handler's, where it belongs to the same trace.
            let current = bridge::context(&Span::current());
            if let Some(given) = cx.trace()
                && current.is_none_or(|current| current.trace_id() != given.trace_id())
            {
                bridge::adopt(&span, &given);
            }
            own = bridge::context(&span);
        }
        cx.write_trace();
        if let Some(own) = own {
            own.write(&mut cx.metadata);
        }
        Self::open(span, Side::Client, transport, cx)
    }

    /// A call has arrived. Its parent is the span that its metadata name; the handler's calls are made from this
    /// one. (The context is not borrowed, for then it would be held twice in the future of the call.)
    pub(crate) fn server(system: System, mut cx: Context) -> (Self, Context) {
        let span = call_span!(parent: None, "server", system, cx.transport(), cx);
        if !span.is_disabled() {
            if let Some(parent) = cx.trace() {
                bridge::adopt(&span, &parent);
            }
            cx.trace = bridge::context(&span).map(Box::new);
        }
        (Self::open(span, Side::Server, cx.transport(), &cx), cx)
    }

    fn open(span: Span, side: Side, transport: &'static str, cx: &Context) -> Self {
        if span.is_disabled() {
            return Self(None);
        }
        let trace = cx.trace().map(|trace| trace.trace_id());
        if let Some(trace) = trace {
            span.record("trace_id", field::display(format_args!("{trace:032x}")));
        }
        let peer = cx.caller().and_then(|caller| caller.address.clone());
        let call = Ending { path: cx.path.clone(), transport, peer, trace, begun: Instant::now() };
        Self(Some(Box::new(Open { span, side, call, deadline: cx.deadline, ended: false })))
    }

    /// The call's work; the span ends with its outcome.
    pub(crate) fn run<T, F: Future<Output = Result<T, Status>>>(self, work: F) -> Traced<F> {
        Traced { work, span: self.0 }
    }

    /// The work up to where the answers begin; the span ends with the last of them.
    pub(crate) fn stream<F: Future<Output = Result<Response<Streaming<Payload>>, Status>>>(
        self,
        work: F,
    ) -> TracedOpening<F> {
        TracedOpening { work, span: self.0 }
    }
}

impl Open {
    /// Runs what belongs to the call. At the client that is the transport's business, which tells of itself in its
    /// own spans.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.side {
            Side::Client => work(),
            Side::Server => self.span.in_scope(work),
        }
    }

    /// Notes how the call ended.
    pub(super) fn end(&mut self, outcome: Result<(), &Status>) {
        self.ended = true;
        let code = outcome.map_or_else(|status| status.code(), |()| Code::Ok);
        self.span.record("rpc.grpc.status_code", i64::from(code.number()));
        if self.side.is_error(code) {
            self.span.record("otel.status_code", "ERROR");
            if let Err(status) = outcome {
                self.span.record("otel.status_description", status.message());
            }
        }
        // The layer of tracing-opentelemetry takes a span to have ended when it was left last.
        self.enter(|| ());
        self.call.say(self.side, code, outcome.err());
    }
}

impl Ending {
    /// One event for the call. It stands for itself, outside of the call's span, whose attributes it repeats as far as
    /// people want them.
    fn say(&self, side: Side, code: Code, failure: Option<&Status>) {
        tracing::debug!(
            target: TARGET,
            parent: None,
            side = side.name(),
            method = self.path.as_str().trim_start_matches('/'),
            transport = self.transport,
            code = code.name(),
            duration_ms = self.begun.elapsed().as_secs_f64() * 1e3,
            peer = self.peer,
            reason = failure.map(|status| shortened(status.message())),
            trace_id = self.trace.map(|trace| field::display(format!("{trace:032x}"))),
            "call ended"
        );
    }
}

/// Tells the log of a call that was refused before it had a span: one whose head is malformed, say.
pub(crate) fn refused(path: Option<&str>, caller: Option<&Caller>, status: &Status) {
    tracing::debug!(
        target: TARGET,
        parent: None,
        side = Side::Server.name(),
        method = path.map(|path| shortened(path.trim_start_matches('/'))),
        transport = caller.map(|caller| caller.transport),
        code = status.code().name(),
        peer = caller.and_then(|caller| caller.address.as_deref()),
        reason = shortened(status.message()),
        "call refused"
    );
}

/// As much of it as the log takes.
fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(MOST_OF_A_MESSAGE)]
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            let late = deadline::is_reached(self.deadline);
            self.end(Err(&if late {
                deadline::exceeded()
            } else {
                Status::cancelled("the call was given up")
            }));
        }
    }
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Whether a call that ends so has failed: on the server's side not where it is the caller who made the mistake.
    /// Source: [OpenTelemetry's conventions for gRPC](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
    fn is_error(self, code: Code) -> bool {
        match self {
            Self::Client => code != Code::Ok,
            Self::Server => matches!(
                code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

impl System {
    /// As OpenTelemetry's attribute `rpc.system` has it.
    fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "grpc")]
            Self::Grpc => "grpc",
            Self::Polywire => "polywire",
        }
    }
}
