use std::{str, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    Caller, Codec, Compression, Extensions, Metadata, MetadataError, Method, Status, TraceContext, method,
};

/// The parts of a call other than its messages: path, metadata, deadline, codec, caller, and extensions from layers.
///
/// A handler takes `&Context` as an optional first argument. A client passes one with
/// [`Call::context`](crate::Call::context), or creates one with [`Context::new`]. A further call with a handler's context
/// inherits the deadline and the trace, and not what belongs to one hop: metadata, codec, compression and caller.
#[derive(Debug, Default)]
pub struct Context {
    pub(crate) path: Path,
    pub(crate) metadata: Metadata,
    pub(crate) deadline: Option<Instant>,
    pub(crate) codec: Option<Codec>,
    pub(crate) compression: Option<Compression>,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) message_limit: Option<usize>,
    /// Whether the method is idempotent according to the method table.
    pub(crate) idempotent: bool,
    /// The row of the method table, if the service at this end has the method.
    pub(crate) method: Option<&'static Method>,
    pub(crate) extensions: Extensions,
    /// The trace, where it is not the one that the metadata name.
    pub(crate) trace: Option<Box<TraceContext>>,
    /// Whether the inbound edge enforces this deadline and catches panics, so that a server need not do so again.
    pub(crate) is_enforced: bool,
    /// Whether the inbound edge has asked for access.
    pub(crate) is_authorized: bool,
}

impl Context {
    /// Creates a context for an outgoing call: no metadata, no deadline, the transport's default codec.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a context for an incoming call, for transports, which then add the deadline, metadata and codec.
    ///
    /// # Errors
    /// `Unimplemented` if the path does not have the form `/package.Service/Method`.
    pub fn incoming(path: impl Into<Bytes>, caller: Arc<Caller>) -> Result<Self, Status> {
        Ok(Self { path: Path::parse(path.into())?, caller: Some(caller), ..Self::default() })
    }

    /// The same context, for a call of the method at this path, which may be made twice or not.
    #[doc(hidden)]
    #[must_use]
    pub fn to(self, path: Path, idempotent: bool) -> Self {
        Self { path, idempotent, ..self }
    }

    /// Sets the deadline, unless the context has an earlier one.
    #[doc(hidden)]
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Instant>) -> Self {
        if let Some(deadline) = deadline {
            self.end_by(deadline);
        }
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

    /// The metadata of the call.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The metadata, mutable.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// The deadline, at which the server drops the handler's future.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time until the deadline; zero if it has passed, `None` without one.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The codec of the messages, if it is decided.
    pub fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// The compression of the caller's messages; `None` for uncompressed ones, and for a unary request whose message was
    /// uncompressed in spite of a compression. For messages of a stream see
    /// [`Streaming::last_compression`](crate::Streaming::last_compression).
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The largest message of this call in either direction, in bytes, if its method or its server sets one. A transport
    /// applies the smaller of this and its own [`Limits`](crate::Limits).
    pub fn message_limit(&self) -> Option<usize> {
        self.message_limit
    }

    /// The caller; `None` for a call within the process.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// The transport of an incoming call; `in-process` without one.
    pub fn transport(&self) -> &'static str {
        self.caller().map_or("in-process", |caller| caller.transport)
    }

    /// The trace context of the call: this process's span if it is recorded, otherwise the metadata `traceparent` and
    /// `tracestate`. `None` without a trace or if the metadata is malformed.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace.as_deref().cloned().or_else(|| TraceContext::read(&self.metadata))
    }

    /// The extensions that layers have added.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The extensions, mutable.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Adds an ASCII metadata entry.
    ///
    /// # Errors
    /// As [`Metadata::append`].
    pub fn with_metadata(mut self, key: &str, value: impl Into<String>) -> Result<Self, MetadataError> {
        self.metadata.append(key, value)?;
        Ok(self)
    }

    /// Sets a deadline relative to now, unless the context has an earlier one.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.shorten_to(timeout);
        self
    }

    /// Sets the codec.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Sets the limit of messages in bytes, unless the context has a smaller one. Transports set it for incoming calls, for
    /// services that forward them.
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

    /// Compresses the requests. A server or a client without this compression fails the call with `Unimplemented`.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Sets the trace context of the call. If no span of this process is recorded, a trace named by the metadata takes
    /// precedence.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    /// The context for another attempt of the call, without extensions.
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
            method: self.method,
            extensions: Extensions::new(),
            trace: self.trace.clone(),
            is_enforced: false,
            is_authorized: false,
        }
    }

    /// Makes a further call part of `cx`. A context of the caller's own adds its metadata, codec, compression and deadline;
    /// the context of an incoming call adds its deadline and trace alone. Options set before stay, and the earlier deadline
    /// applies.
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

    /// Adds the trace to the metadata, unless the metadata names one.
    pub(crate) fn write_trace(&mut self) {
        if let Some(trace) = self.trace.take()
            && !TraceContext::is_in(&self.metadata)
        {
            trace.write(&mut self.metadata);
        }
    }

    /// Sets the method that the path names, as looked up by the edge. Its path is shared without counting.
    pub(crate) fn known_as(&mut self, method: Option<&'static Method>) {
        self.method = method;
        // An alias has a path of its own.
        if let Some(method) = method.filter(|method| method.path() == self.path()) {
            self.path = Path::Static(method.path());
        }
    }

    pub(crate) fn shorten_to(&mut self, timeout: Duration) {
        // A timeout beyond the clock's range is no deadline.
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            self.end_by(deadline);
        }
    }

    fn end_by(&mut self, deadline: Instant) {
        if self.deadline.is_none_or(|earlier| deadline < earlier) {
            self.deadline = Some(deadline);
            self.is_enforced = false;
        }
    }
}

/// A UTF-8 path, from a method table or in the buffer of a received request.
#[derive(Clone, Debug)]
pub enum Path {
    /// From a method table.
    Static(&'static str),
    /// In the buffer of a received request.
    Received(Bytes),
}

impl Path {
    /// Parses a received path, `/package.Service/Method`, without parts that a later parser could interpret differently: a
    /// query, a fragment or a further slash.
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
