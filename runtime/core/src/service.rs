use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{Context, Method, Payload, Response, ServiceInfo, Status, Streaming};

/// The waist: what a generated server is, what a router is, what a layer is, what a client's connection
/// is. The same trait at both ends, so any server is a client and any connection can be served.
///
/// It has two verbs. An implementation that knows no better answers both from one place; one that does
/// (a transport with a short way for a single message) gains from being told which it is.
///
/// Dropping the future, or the stream it returned, cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a connection nor a server",
    note = "what a transport makes of a peer, a generated `…Server`, a `Router` and a `Channel` are"
)]
pub trait Service: Send + Sync + 'static {
    /// One message in, one message out.
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send;

    /// Any number of messages in, any number out.
    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send;

    /// What is known of the method at this path, without calling it. `None` where nothing is known,
    /// which is not to say that it is not served: a connection cannot tell.
    fn method(&self, path: &str) -> Option<&'static Method> {
        let _ = path;
        None
    }

    /// The services that answer here, as far as is known without asking anyone.
    fn services(&self) -> Vec<ServiceInfo> {
        Vec::new()
    }
}

/// [`Service`] as an object. Futures own a handle to the service, so that callers can store them.
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
        Box::pin(async move { self.unary(cx, message).await })
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
