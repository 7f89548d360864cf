use std::{any::Any, fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    Context, Explanation, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    service::DynService,
};

/// A shared handle to a [`Service`]: to a connection, a server in this process, a router, a layered one of these, or to
/// several transports of which each call takes the one that its [`Policy`](crate::policy::Policy) chooses. Clones share it.
/// Generated clients hold one.
#[derive(Clone)]
pub struct Channel {
    service: Arc<dyn DynService>,
    explains: Option<Arc<Explain>>,
}

/// Tells how calls choose their transport now.
type Explain = dyn Fn() -> Explanation + Send + Sync;

impl Channel {
    /// A channel to this service. One that is a channel already is taken as it is.
    pub fn new(service: impl Service) -> Self {
        let mut service = Some(service);
        let channel = (&mut service as &mut dyn Any).downcast_mut::<Option<Self>>().and_then(Option::take);
        // Wrapping a channel again would cost every call a box.
        channel.unwrap_or_else(|| {
            let service = service.expect("only a channel is taken out");
            Self { service: Arc::new(service), explains: None }
        })
    }

    /// The same, which tells how its calls choose their transport.
    pub(crate) fn explained_by(mut self, explains: Arc<Explain>) -> Self {
        self.explains = Some(explains);
        self
    }

    /// Explains as the other does: what is around a channel chooses nothing.
    pub(crate) fn explained_as(mut self, inner: &Self) -> Self {
        self.explains = inner.explains.clone();
        self
    }

    /// As [`Service::unary`], in the one box that it takes.
    pub(crate) fn call(
        &self,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.service.clone().dyn_unary(cx, message)
    }

    /// How calls choose their transport now, and why; `None` where there is nothing to choose.
    pub fn explain(&self) -> Option<Explanation> {
        self.explains.as_ref().map(|explain| explain())
    }
}

impl Service for Channel {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.service.clone().dyn_unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.service.clone().dyn_stream(cx, messages).await
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
