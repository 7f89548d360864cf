mod again;
mod answers;
mod attempts;
mod builder;
#[cfg(feature = "node")]
mod discovery;
mod explain;
mod fallback;
mod keeper;
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
mod vigil;

use std::{fmt, sync::Arc};

#[cfg(feature = "node")]
pub use self::discovery::ClusterBuilder;
pub use self::{
    builder::ChannelBuilder,
    explain::{
        Explanation, MemberExplanation, MemberService, RouteExplanation, RouteState, ServiceExplanation,
    },
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

    /// A channel to all members of the cluster that this one belongs to. Its directory tells who they are, and each call
    /// takes one that serves it.
    ///
    /// Of two that are drawn at random a call takes the one with fewer calls in flight and the lower latency
    /// ([`ClusterBuilder`] has more to say). Members that join, leave or move are followed. A call that fails at one goes
    /// to another only where nobody has seen it or the method is idempotent, within one budget for all of them.
    #[cfg(feature = "node")]
    pub fn cluster<T: TryInto<crate::Target, Error: fmt::Display>>(seed: T) -> ClusterBuilder {
        ClusterBuilder::new(seed)
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
