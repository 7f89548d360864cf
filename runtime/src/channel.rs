use std::{fmt, sync::Arc};

use crate::{
    Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, service::DynService,
};

/// A way to somebody who answers calls, whoever that is: a connection, a server in this process, a
/// router, a layered one of these. Clones share it. Generated clients hold one.
#[derive(Clone)]
pub struct Channel(Arc<dyn DynService>);

impl Channel {
    /// A channel to this service.
    pub fn new(service: impl Service) -> Self {
        Self(Arc::new(service))
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
