//! Distributed traces: a span for each call at both of its ends, and the context that makes one the child of the
//! other in another process.
//!
//! The context travels as [W3C Trace Context](https://www.w3.org/TR/trace-context/) in the metadata `traceparent`
//! and `tracestate`, on every transport, so that foreign clients, servers and proxies take part.
//!
//! Spans are those of the crate `tracing`, at the level `DEBUG` and under the target [`TARGET`]: where a call leaves
//! this process and where it arrives in one. A subscriber that does not want them costs a call nothing. They are
//! named by the method, have the attributes of OpenTelemetry's
//! [conventions for RPC](https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/), and end with the call: that of a
//! stream with the stream's end, and its status. A handler runs within its span.
//!
//! Under the same target and level, one event tells of each call that has ended: its side, method, transport, code,
//! duration and peer, and the reason of a failure.
//!
//! With the feature `opentelemetry`, and a subscriber that has the layer of `tracing-opentelemetry`, a span's
//! identity is sent: the server's span is the child of the client's. Without them, spans of this process are not recorded,
//! and the received trace context is forwarded unchanged. To continue the trace in a handler's own calls, pass its context
//! with [`Call::context`](crate::Call::context); if spans are recorded, calls within the handler's span find it themselves.

mod bridge;
mod span;
mod traced;

pub use crate::trace_context::{InvalidTraceParent, TraceContext};
pub(crate) use span::{CallSpan, System, refused};
pub(crate) use traced::{Traced, TracedOpening};

/// The target of the spans of calls, for filters such as `info,polywire::rpc=debug`.
pub const TARGET: &str = "polywire::rpc";
