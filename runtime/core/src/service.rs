use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{Context, Method, Payload, Response, ServiceInfo, Status, Streaming};

/// The waist of the framework: generated servers, routers, layers and client connections implement it. The trait is the
/// same at both ends, so any server is a client and any connection can be served.
///
/// It has two verbs. An implementation may answer both with the same code; a transport with a faster path for single
/// messages benefits from the distinction.
///
/// # Cancel safety
/// Dropping a future, or the stream that it returned, cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a connection nor a server",
    note = "a transport's connection, a generated `…Server`, a `Router` and a `Channel` are"
)]
pub trait Service: Send + Sync + 'static {
    /// Makes a call with one request and one response.
    ///
    /// # Errors
    /// The status of the failed call.
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send;

    /// Makes a call with a stream of requests and a stream of responses, of any length.
    ///
    /// # Errors
    /// The status of a call that failed before its response; later failures end the response stream.
    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send;

    /// [`unary`](Self::unary) as one boxed future that owns its handle to the service: the form in which a
    /// [`Channel`](crate::Channel) makes a call.
    ///
    /// By default it boxes the future of `unary`. A service that hands calls on to a channel overrides it with
    /// [`Channel::call`](crate::Channel::call), so that it adds no allocation to a call.
    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        Box::pin(async move { self.unary(cx, message).await })
    }

    /// The table entry of the method at this path, as known without a call. `None` does not mean that the method is not
    /// served: a connection does not know its peer's methods.
    fn method(&self, path: &str) -> Option<&'static Method> {
        let _ = path;
        None
    }

    /// The services that answer here, as known without a call.
    fn services(&self) -> Vec<ServiceInfo> {
        Vec::new()
    }
}

/// The object-safe form of [`Service`]. Futures own a handle to the service, so that callers can store them.
pub(crate) trait DynService: Send + Sync + 'static {
    fn dyn_unary(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>>;

    fn dyn_stream(
        self: Arc<Self>,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> BoxFuture<'static, Result<Response<Streaming<Payload>>, Status>>;

    fn dyn_method(&self, path: &str) -> Option<&'static Method>;

    fn dyn_services(&self) -> Vec<ServiceInfo>;
}

impl<S: Service> DynService for S {
    fn dyn_unary(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.unary_boxed(cx, message)
    }

    fn dyn_stream(
        self: Arc<Self>,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> BoxFuture<'static, Result<Response<Streaming<Payload>>, Status>> {
        Box::pin(async move { self.stream(cx, messages).await })
    }

    fn dyn_method(&self, path: &str) -> Option<&'static Method> {
        self.method(path)
    }

    fn dyn_services(&self) -> Vec<ServiceInfo> {
        self.services()
    }
}
