use std::{any::Any, fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    Context, Explanation, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    service::DynService,
};

/// A shared handle to a [`Service`]: a connection, a server in this process, a router, a layer around one of these, or a load
/// balancer over several transports, which chooses by [`Policy`](crate::policy::Policy) for each call. Clones share the
/// service. Generated clients hold a channel.
#[derive(Clone)]
pub struct Channel {
    service: Arc<dyn DynService>,
    explains: Option<Arc<Explain>>,
}

/// Returns the current explanation of how calls choose their transport.
type Explain = dyn Fn() -> Explanation + Send + Sync;

impl Channel {
    /// Creates a channel to this service. A service that is a channel itself is returned unchanged.
    pub fn new(service: impl Service) -> Self {
        let mut service = Some(service);
        let channel = (&mut service as &mut dyn Any).downcast_mut::<Option<Self>>().and_then(Option::take);
        // Wrapping a channel again would cost every call a box.
        channel.unwrap_or_else(|| {
            let service = service.expect("only a channel is taken out");
            Self { service: Arc::new(service), explains: None }
        })
    }

    /// Sets the function that explains how calls choose their transport.
    pub(crate) fn explained_by(mut self, explains: Arc<Explain>) -> Self {
        self.explains = Some(explains);
        self
    }

    /// Uses the explanation of the inner channel, as a layer does not choose transports.
    pub(crate) fn explained_as(mut self, inner: &Self) -> Self {
        self.explains = inner.explains.clone();
        self
    }

    /// As [`Service::unary`], as the box of the service's own future.
    pub fn call(
        &self,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.service.clone().dyn_unary(cx, message)
    }

    /// As [`Service::stream`], as the box of the service's own future.
    pub(crate) fn open(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> BoxFuture<'static, Result<Response<Streaming<Payload>>, Status>> {
        self.service.clone().dyn_stream(cx, messages)
    }

    /// Explains how calls choose their transport now; `None` if there is only one.
    pub fn explain(&self) -> Option<Explanation> {
        self.explains.as_ref().map(|explain| explain())
    }
}

impl Service for Channel {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        self.call(cx, message)
    }

    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        self.open(cx, messages)
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.call(cx, message)
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.service.dyn_method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.service.dyn_services()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
