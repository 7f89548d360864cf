mod answers;
mod attempts;
mod builder;
mod explain;
mod fallback;
mod keeper;
mod lent;
mod order;
mod plan;
pub(crate) mod probe;
mod pulse;
mod route;
mod routes;
mod scores;
mod shadow;
mod shared;
mod tally;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

pub use self::{
    builder::ChannelBuilder,
    explain::{Explanation, RouteExplanation, RouteState, ServiceExplanation},
    fallback::Fallback,
};

use crate::{
    Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    service::{BoxFuture, DynService},
};

/// A way to somebody who answers calls, whoever that is: a connection, a server in this process, a
/// router, a layered one of these, or several transports to one peer, of which each call takes the one that its
/// [`Policy`](crate::policy::Policy) chooses. Clones share it. Generated clients hold one.
#[derive(Clone)]
pub struct Channel(Arc<dyn DynService>);

impl Channel {
    /// A channel to this service.
    pub fn new(service: impl Service) -> Self {
        Self(Arc::new(service))
    }

    /// A channel over several transports to one peer.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }

    /// How calls choose their transport now, and why; `None` where there is nothing to choose.
    pub fn explain(&self) -> Option<Explanation> {
        self.0.dyn_explain()
    }

    /// As `Service::unary`, in the one box that it takes.
    fn call(&self, cx: Context, message: Payload) -> BoxFuture<Result<Response<Payload>, Status>> {
        self.0.clone().dyn_unary(cx, message)
    }
}

impl Service for Channel {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.0.clone().dyn_unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.0.clone().dyn_stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.0.dyn_method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.0.dyn_services()
    }

    fn explain(&self) -> Option<Explanation> {
        self.0.dyn_explain()
    }

    // Wrapping a channel again would cost every call a box.
    fn into_channel(self) -> Self {
        self
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
