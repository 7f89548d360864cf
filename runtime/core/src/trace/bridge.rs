//! Between spans of `tracing` and traces of OpenTelemetry, through the layer of `tracing-opentelemetry`.

use tracing::Span;

use super::TraceContext;

/// Makes the span, which has not begun yet, the child of one in another process.
#[cfg(feature = "opentelemetry")]
pub(super) fn adopt(span: &Span, parent: &TraceContext) {
    use opentelemetry::{
        Context,
        trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId},
    };
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let parent = SpanContext::new(
        TraceId::from(parent.trace_id()),
        SpanId::from(parent.span_id()),
        TraceFlags::new(parent.flags()),
        true,
        parent.state().parse().unwrap_or_default(),
    );
    // An error means that the span is not recorded.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// The context of the span for children in other processes, if it is recorded. This starts the span.
#[cfg(feature = "opentelemetry")]
pub(super) fn context(span: &Span) -> Option<TraceContext> {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let trace_id = u128::from_be_bytes(span.trace_id().to_bytes());
    let span_id = u64::from_be_bytes(span.span_id().to_bytes());
    let trace = TraceContext::new(trace_id, span_id, span.trace_flags().to_u8())?;
    Some(trace.with_state(&span.trace_state().header()))
}

#[cfg(not(feature = "opentelemetry"))]
pub(super) fn adopt(_: &Span, _: &TraceContext) {}

#[cfg(not(feature = "opentelemetry"))]
pub(super) fn context(_: &Span) -> Option<TraceContext> {
    None
}
