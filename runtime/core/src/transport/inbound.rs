//! The inbound edge: what every transport does with a call that arrives, up to the service that answers it.
//!
//! A transport reads the head of a call and then, in this order:
//! 1. [`Inbound::arrive`] looks up the method, once, and begins to count the call.
//! 2. [`Inbound::admit`] checks the metadata, the ALPN's scope and the caller's access, sets the limits, and opens the span.
//! 3. [`Admitted::run`] answers: [`Inbound::receive`] and [`Inbound::unary`], or [`Inbound::stream`]. A panic anywhere within
//!    costs the call alone, and the deadline bounds it.
//! 4. [`Arrival::end`] counts the code that the caller sees.

use std::{future::Future, sync::Arc};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{Limits, Serving};
use crate::{
    AlpnName, Authorize, Caller, Channel, Code, Codec, CompressionSet, Context, Method, Payload, Response,
    Service, Shape, Status, Streaming,
    access::lease::{self, Lease},
    deadline::{self, Bound},
    encoding::ResponseEncoding,
    messages::{self, Messages},
    method::major_version,
    observer::{CallObserver, InFlight, Observer, Side, UNKNOWN},
    panic::{self, Guard},
    server,
    trace::{self, CallSpan, System, Traced},
};
#[cfg(feature = "grpc")]
use crate::{Compression, trace::TracedOpening};

/// What the calls of a listener, or of one of its connections, go through.
pub(crate) struct Inbound<S = Channel> {
    /// Answers the calls.
    service: Arc<S>,
    pub(crate) limits: Limits,
    observer: Option<Arc<dyn Observer>>,
    access: Option<Arc<dyn Authorize>>,
    /// The ALPN of a connection that reaches one service alone.
    scope: Option<AlpnName>,
}

/// A call that has arrived, with its method and its deadline, which the method's own timeout may bring forward. Dropped before its end, it counts as cancelled, or as past its deadline.
#[derive(Default)]
pub(crate) struct Arrival {
    pub(crate) method: Option<&'static Method>,
    pub(crate) deadline: Option<Instant>,
    counted: Option<InFlight>,
}

/// A call that passed all checks.
pub(crate) struct Admitted {
    cx: Context,
    span: CallSpan,
    counter: Option<Arc<dyn CallObserver>>,
    /// The largest message in either direction, in bytes.
    pub(crate) limit: usize,
    /// Whether it has one request and one response.
    pub(crate) unary: bool,
}

impl<S: Service> Inbound<S> {
    /// Calls go to this service, within the default limits and without access control.
    pub(crate) fn new(service: S) -> Self {
        Self {
            service: Arc::new(service),
            limits: Limits::default(),
            observer: None,
            access: None,
            scope: None,
        }
    }

    /// The same, within these limits.
    pub(crate) fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same, for a connection that reaches only the service of this ALPN, if it names one.
    pub(crate) fn scoped(self, scope: Option<AlpnName>) -> Self {
        Self { scope, ..self }
    }

    /// A call to this path has arrived. One without a readable head, or of an unknown method, is counted as unknown.
    pub(crate) fn arrive(&self, transport: &'static str, path: &[u8], deadline: Option<Instant>) -> Arrival {
        let arrive = || {
            let method = std::str::from_utf8(path).ok().and_then(|path| self.service.method(path));
            let timeout = method.and_then(Method::default_timeout);
            let latest = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let deadline = deadline.into_iter().chain(latest).min();
            let counted = self.observer.as_ref().map(|observer| {
                let (service, name) = method.map_or(UNKNOWN, |method| (method.service(), method.name()));
                InFlight::start(observer.call(Side::Server, service, name, transport), deadline)
            });
            Arrival { method, deadline, counted }
        };
        panic::catch(arrive).unwrap_or_else(|panic| {
            panic.say("the lookup of a method");
            Arrival { deadline, ..Arrival::default() }
        })
    }

    /// Counts a call that was turned away before anything of it was read.
    pub(crate) fn turned_away(&self, transport: &'static str, code: Code) {
        self.arrive(transport, &[], None).end(code);
    }

    /// Checks a call of which the head has been read. `unary` says whether its head promises exactly one request, and asks
    /// for exactly one response.
    ///
    /// # Errors
    /// Why it is refused, as not processed.
    pub(crate) fn admit(
        &self,
        system: System,
        arrival: &Arrival,
        mut cx: Context,
        unary: bool,
    ) -> Result<Admitted, Status> {
        let checked = panic::catch(|| self.check(arrival, &mut cx, unary));
        if let Err(status) = checked.unwrap_or_else(|panic| Err(panic.status(&cx.path))) {
            let caller = cx.caller.take();
            return Err(refused(Some(cx.path()), caller.as_deref(), status));
        }
        let limit = cx.message_limit.unwrap_or(self.limits.max_message_bytes);
        let unary = unary || arrival.is_unary();
        let counter = arrival.counted.as_ref().map(|call| call.call().clone());
        let (span, cx) = CallSpan::server(system, cx);
        Ok(Admitted { cx, span, counter, limit, unary })
    }

    fn check(&self, arrival: &Arrival, cx: &mut Context, unary: bool) -> Result<(), Status> {
        self.limits.check_metadata(&cx.metadata)?;
        cx.known_as(arrival.method);
        cx.deadline = arrival.deadline;
        let own = arrival.method.and_then(Method::message_limit).unwrap_or(usize::MAX);
        cx.message_limit = Some(own.min(self.limits.max_message_bytes));
        if let Some(alpn) = &self.scope {
            check_scope(alpn, cx)?;
        }
        if let Some(access) = &self.access {
            match unary || arrival.is_unary() {
                true => access.authorize(cx)?,
                false => {
                    if let Some(lease) = access.authorize_stream(cx)? {
                        cx.extensions.insert(lease);
                    }
                }
            }
            cx.is_authorized = true;
        }
        if let (true, Some(method)) = (unary, arrival.method) {
            server::expect_unary(method)?;
        }
        cx.is_enforced = true;
        Ok(())
    }

    /// Reads the one request of a call, of which nothing has been processed until then.
    ///
    /// # Errors
    /// `DeadlineExceeded` if it takes too long to arrive; any error is not processed.
    pub(crate) fn receive<'a, M: Messages>(
        &self,
        deadline: Option<Instant>,
        requests: &'a mut M,
        counter: Option<&'a dyn CallObserver>,
    ) -> impl Future<Output = Result<Payload, Status>> + Send + use<'a, S, M> {
        let late = "the request took too long to arrive";
        let patience = self.limits.message_timeout;
        let reading = deadline::bound_within(deadline, patience, late, messages::single(requests));
        reading.map(move |message| {
            let message = message.map_err(Status::not_processed)?;
            messages::received(counter, &message);
            Ok(message)
        })
    }

    /// The service's answer to a unary call, by the deadline.
    pub(crate) fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> Bound<impl Future<Output = Result<Response<Payload>, Status>> + Send> {
        deadline::bound(cx.deadline, self.service.unary(cx, message))
    }

    /// The service's answer to a call with streams; its messages end by the deadline too, and once the caller may not make the
    /// call any more.
    pub(crate) async fn stream(
        &self,
        mut cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let deadline = cx.deadline;
        let lease: Option<Lease> = cx.extensions.remove();
        let answer = deadline::bound(deadline, self.service.stream(cx, messages));
        let response = lease::bound(lease.as_ref(), answer).await?;
        Ok(response.map(|messages| lease::bound_stream(lease, deadline::bound_stream(deadline, messages))))
    }
}

impl From<&Serving> for Inbound {
    fn from(serving: &Serving) -> Self {
        let (observer, access) = (serving.observer.clone(), serving.access.clone());
        Self { observer, access, ..Self::new(serving.service.clone()) }
    }
}

impl<S> Clone for Inbound<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            limits: self.limits.clone(),
            observer: self.observer.clone(),
            access: self.access.clone(),
            scope: self.scope.clone(),
        }
    }
}

impl<S> std::fmt::Debug for Inbound<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("limits", &self.limits)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Arrival {
    /// Whether the method is known, and has one request and one response.
    fn is_unary(&self) -> bool {
        self.method.is_some_and(|method| method.shape() == Shape::Unary)
    }

    /// The caller is about to see this code. Only the first one counts.
    pub(crate) fn end(&mut self, code: Code) {
        if let Some(call) = self.counted.take() {
            call.finish(code);
        }
    }
}

impl Admitted {
    /// The call's deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.cx.deadline
    }

    /// How the answers are written to a caller that accepts these compressions.
    pub(crate) fn answers(&self, codec: Codec, accepted: CompressionSet) -> ResponseEncoding {
        ResponseEncoding { codec, accepted, limit: self.limit, counter: self.counter.clone() }
    }

    /// The compression that the head has named.
    #[cfg(feature = "grpc")]
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.cx.compression
    }

    /// The counter of the call's messages.
    #[cfg(any(feature = "grpc", feature = "memory"))]
    pub(crate) fn counter(&self) -> Option<Arc<dyn CallObserver>> {
        self.counter.clone()
    }

    /// Answers the call: in its span, which ends with the work, and so that a panic is `Internal`.
    pub(crate) fn run<T, F: Future<Output = Result<T, Status>>>(
        self,
        work: impl FnOnce(Context) -> F,
    ) -> Traced<Guard<F>> {
        let path = self.cx.path.clone();
        self.span.run(panic::guard(path, work(self.cx)))
    }

    /// The same for a call whose responses follow; the span ends with the last of them.
    #[cfg(feature = "grpc")]
    pub(crate) fn open<F: Future<Output = Result<Response<Streaming<Payload>>, Status>>>(
        self,
        work: impl FnOnce(Context) -> F,
    ) -> TracedOpening<Guard<F>> {
        let path = self.cx.path.clone();
        self.span.stream(panic::guard(path, work(self.cx)))
    }
}

/// The status of a call that is refused, which the log is told.
pub(crate) fn refused(path: Option<&str>, caller: Option<&Caller>, status: Status) -> Status {
    trace::refused(path, caller, &status);
    status.not_processed()
}

fn is_in_scope(alpn: &AlpnName, service: &str) -> bool {
    alpn.service().names(service) && major_version(service) == alpn.major()
}

fn check_scope(alpn: &AlpnName, cx: &Context) -> Result<(), Status> {
    if is_in_scope(alpn, cx.service()) {
        return Ok(());
    }
    let refusal = format!("this connection is bound to `{}` by its ALPN {alpn}", alpn.service());
    Err(Status::permission_denied(refusal))
}
