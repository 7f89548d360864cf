use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use futures_util::future::BoxFuture;
use polywire::{Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming};

use crate::{member::Member, node_context::NodeContext};

/// What a cluster puts around a service whose methods its members call: it finds out which member calls.
pub(crate) type Guard = Box<dyn Fn(Channel) -> Channel + Send + Sync>;

/// A service that members call, with the guard of the node's cluster around it, if the node is in one.
pub(crate) struct Guarded {
    inner: Channel,
    context: Arc<NodeContext>,
    made: OnceLock<Channel>,
}

impl Guarded {
    pub(crate) fn new(service: impl Service, context: Arc<NodeContext>) -> Self {
        Self { inner: Channel::new(service), context, made: OnceLock::new() }
    }

    /// The service with the guard, which the cluster has registered before the first call.
    fn service(&self) -> &Channel {
        self.made.get_or_init(|| match self.context.guard() {
            Some(guard) => guard(self.inner.clone()),
            None => self.inner.clone(),
        })
    }
}

impl Service for Guarded {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.service().unary(cx, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.service().call(cx, message)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.service().stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}

/// How this node's calls to a member prove who calls, over connections that do not.
#[derive(Clone)]
pub(crate) struct Proving(Arc<Prove>);

type Prove = dyn Fn(Channel, &Member) -> Channel + Send + Sync;

impl Proving {
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "a cluster makes it"))]
    pub(crate) fn new(prove: impl Fn(Channel, &Member) -> Channel + Send + Sync + 'static) -> Self {
        Self(Arc::new(prove))
    }

    /// The channel to this member, whose calls carry proofs.
    pub(crate) fn channel(&self, channel: Channel, member: &Member) -> Channel {
        (self.0)(channel, member)
    }
}

impl fmt::Debug for Proving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proving")
    }
}
