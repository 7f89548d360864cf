use std::{str, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    Codec, Compression, Extensions, Metadata, MetadataError, Method, Status, TraceContext, method,
    observer::CallObserver,
};

/// Everything a call carries but its messages: where it goes, its metadata, its deadline, its codec, who
/// makes it, and what layers put beside it.
///
/// A handler takes `&Context` as an optional first argument. A client takes one through
/// [`Call::context`](crate::Call::context), or builds a fresh one with [`Context::new`]. Handing a
/// handler's context to a further call passes on what should travel (the deadline, the trace) and keeps back what
/// was meant for this hop (metadata, codec, compression and caller).
#[derive(Debug, Default)]
pub struct Context {
    pub(crate) path: Path,
    pub(crate) metadata: Metadata,
    pub(crate) deadline: Option<Instant>,
    pub(crate) codec: Option<Codec>,
    pub(crate) compression: Option<Compression>,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) message_limit: Option<usize>,
    /// Whether the method table says that the call may be made twice.
    pub(crate) idempotent: bool,
    pub(crate) extensions: Extensions,
    /// The trace, where it is not the one that the metadata name.
    pub(crate) trace: Option<Box<TraceContext>>,
    /// Where the messages are counted of a call that its listener has counted already.
    pub(crate) counted: Option<Arc<dyn CallObserver>>,
}

/// Who makes a call, as far as the transport knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The transport the call came over, for instance `grpc` or `iroh`.
    pub transport: &'static str,
    /// What the peer has proved to be: its endpoint id on Iroh; `None` where the transport proves nothing.
    pub identity: Option<String>,
    /// Where the connection comes from, in the transport's notation.
    pub address: Option<String>,
}

impl Context {
    /// A context for an outgoing call: no metadata, no deadline, the transport's own codec.
    pub fn new() -> Self {
        Self::default()
    }

    /// A context for a call that has arrived: what a transport makes of what its peer sent. The deadline,
    /// metadata and codec are added to it.
    ///
    /// # Errors
    /// `Unimplemented` when the path is not of the form `/package.Service/Method`.
    pub fn incoming(path: impl Into<Bytes>, caller: Arc<Caller>) -> Result<Self, Status> {
        Ok(Self { path: Path::parse(path.into())?, caller: Some(caller), ..Self::default() })
    }

    /// The same context, for a call of the method at this path, which may be made twice or not.
    #[doc(hidden)]
    #[must_use]
    pub fn to(self, path: Path, idempotent: bool) -> Self {
        Self { path, idempotent, ..self }
    }

    /// The same context with this deadline, or the earlier one it already had.
    #[doc(hidden)]
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = self.deadline.into_iter().chain(deadline).min();
        self
    }

    /// The path, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// The service's full name, `package.Service`.
    pub fn service(&self) -> &str {
        method::split(self.path()).0
    }

    /// The metadata that came with the call.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The metadata, to be changed.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// When the caller stops waiting. The handler's future is dropped then.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long until the deadline; zero when it has passed, `None` without one.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The codec of the messages, where it has been decided.
    pub fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// What the caller compresses its messages with; `None` for plain ones, and for a unary request that came
    /// plain nevertheless. Of a stream's messages,
    /// [`Streaming::last_compression`](crate::Streaming::last_compression) tells.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The largest message that this call may carry in either direction, in bytes, where its method or whoever
    /// serves it says so. A transport keeps the least of this and its own [`Limits`](crate::Limits).
    pub fn message_limit(&self) -> Option<usize> {
        self.message_limit
    }

    /// Who makes the call; `None` for a call within the process.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// The transport that the call came over; `in-process` without one.
    pub fn transport(&self) -> &'static str {
        self.caller().map_or("in-process", |caller| caller.transport)
    }

    /// Where in a trace the call is: the span of this process where somebody records it, else what the metadata
    /// `traceparent` and `tracestate` say. `None` without a trace, and where what they say is malformed.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace.as_deref().cloned().or_else(|| TraceContext::read(&self.metadata))
    }

    /// What layers put beside the call.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What layers put beside the call, to be changed.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// The same context with one more ASCII metadata entry.
    ///
    /// # Errors
    /// As [`Metadata::append`].
    pub fn with_metadata(mut self, key: &str, value: impl Into<String>) -> Result<Self, MetadataError> {
        self.metadata.append(key, value)?;
        Ok(self)
    }

    /// The same context with a deadline that far from now, or the earlier one it already had.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.shorten_to(timeout);
        self
    }

    /// The same context with this codec.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }

    /// The same context with this limit on messages, in bytes, or the smaller one it already had. A transport says
    /// so of a call that has arrived, for whoever passes it on.
    ///
    /// ```
    /// let cx = polywire::Context::new().with_message_limit(4_096).with_message_limit(1 << 20);
    /// assert_eq!(cx.message_limit(), Some(4_096));
    /// ```
    #[must_use]
    pub fn with_message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = Some(self.message_limit.map_or(bytes, |limit| limit.min(bytes)));
        self
    }

    /// The same context, its call's requests compressed with this. A server that does not know it, or a build
    /// that does not, fails the call with `Unimplemented`.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The same context, its call made from here in a trace. Metadata that name another trace win, where no span of
    /// this process is recorded.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    /// The same context for another attempt at the call. What layers put beside it stays with the first.
    pub(crate) fn again(&self) -> Self {
        Self {
            path: self.path.clone(),
            metadata: self.metadata.clone(),
            deadline: self.deadline,
            codec: self.codec,
            compression: self.compression,
            caller: self.caller.clone(),
            message_limit: self.message_limit,
            idempotent: self.idempotent,
            extensions: Extensions::new(),
            trace: self.trace.clone(),
            counted: None,
        }
    }

    /// Makes a further call part of `cx`: with its metadata, codec, compression and deadline while it is the caller's
    /// own; of one that came in with a call, with the deadline and the trace alone. What was set before stays, the
    /// earlier deadline wins.
    pub(crate) fn join(&mut self, cx: &Self) {
        self.deadline = match (self.deadline, cx.deadline) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        if cx.path.is_empty() {
            self.metadata.extend(cx.metadata.clone());
            self.codec = self.codec.or(cx.codec);
            self.compression = self.compression.or(cx.compression);
            self.trace = self.trace.take().or_else(|| cx.trace.clone());
        } else if self.trace.is_none() {
            self.trace = cx.trace().map(Box::new);
        }
    }

    /// Puts the trace into the metadata, unless the caller has named one there in so many words.
    pub(crate) fn write_trace(&mut self) {
        if let Some(trace) = self.trace.take()
            && !TraceContext::is_in(&self.metadata)
        {
            trace.write(&mut self.metadata);
        }
    }

    /// The method of a table that the path names: a path of this program is shared without counting, and can be counted
    /// by.
    pub(crate) fn known_as(&mut self, method: Option<&'static Method>) {
        if let Some(method) = method.filter(|method| method.path() == self.path()) {
            self.path = Path::Static(method.path());
        }
    }

    pub(crate) fn shorten_to(&mut self, timeout: Duration) {
        // A timeout beyond the clock's range is no deadline.
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        }
    }
}

/// A path that is UTF-8: one from a method table, or one that shares the buffer it came in.
#[derive(Clone, Debug)]
pub enum Path {
    /// Of a method table.
    Static(&'static str),
    /// Shares the buffer that it came in.
    Received(Bytes),
}

impl Path {
    /// Reads a path that a peer sent: `/package.Service/Method`, and nothing that could mean something else
    /// to whoever reads it next (a query, a fragment, a further slash).
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, Status> {
        let named = |part: &[u8]| {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
            !part.is_empty() && part.iter().all(word)
        };
        let mut parts = bytes.split(|byte| *byte == b'/');
        let well_formed = parts.next().is_some_and(<[u8]>::is_empty)
            && parts.next().is_some_and(named)
            && parts.next().is_some_and(named)
            && parts.next().is_none();
        if well_formed {
            return Ok(Self::Received(bytes));
        }
        Err(Status::unimplemented("the path is not of the form /package.Service/Method").not_processed())
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Static(path) => path,
            Self::Received(bytes) => str::from_utf8(bytes).unwrap_or_default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl Default for Path {
    fn default() -> Self {
        Self::Static("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_further_call_inherits_the_deadline_and_not_the_metadata() {
        let mut incoming =
            Context::new().with_timeout(Duration::from_secs(3)).with_metadata("secret", "1").unwrap();
        incoming.compression = Some(Compression::Gzip);
        incoming.path = Path::Static("/a.A/Get");
        let mut outgoing = Context::new().with_timeout(Duration::from_secs(9));
        outgoing.join(&incoming);
        assert_eq!(outgoing.time_left(), Some(Duration::from_secs(3)));
        assert!(outgoing.metadata().is_empty());
        assert_eq!(outgoing.compression(), None);
    }

    #[test]
    fn a_further_call_goes_on_with_the_trace_and_an_own_one_with_its_metadata() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let own = Context::new().with_metadata("traceparent", parent).unwrap();
        let mut outgoing = Context::new();
        outgoing.join(&own);
        assert_eq!((outgoing.trace.is_none(), outgoing.metadata().get("traceparent")), (true, Some(parent)));
        let incoming = Context { path: Path::Static("/a.A/Get"), ..own };
        let mut outgoing = Context::new();
        outgoing.join(&incoming);
        assert_eq!(outgoing.trace().unwrap().to_string(), parent);
        assert!(outgoing.metadata().is_empty());
        let other = TraceContext::new(1, 2, 0).unwrap();
        let mut outgoing = Context::new().with_trace(other.clone());
        outgoing.join(&incoming);
        assert_eq!(outgoing.trace(), Some(other));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_never_lengthens_a_deadline() {
        let cx = Context::new().with_timeout(Duration::from_secs(1)).with_timeout(Duration::from_secs(9));
        assert_eq!(cx.time_left(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_refused() {
        assert_eq!(Path::parse(Bytes::from_static(b"/a.v1.A/Get")).unwrap().as_str(), "/a.v1.A/Get");
        for path in [
            "",
            "/",
            "/a.A",
            "a.A/Get",
            "/a.A/",
            "//Get",
            "/a.A/Get/",
            "/b.B/Get#x.a.v1.A/Get",
            "/a.A/Get?x",
            "/a.A/G\u{e9}",
        ] {
            let status = Path::parse(Bytes::from_static(path.as_bytes())).unwrap_err();
            assert!(status.is_not_processed(), "{path}");
        }
    }

    #[test]
    fn a_timeout_beyond_the_clock_is_no_deadline() {
        assert_eq!(Context::new().with_timeout(Duration::MAX).deadline(), None);
    }
}
