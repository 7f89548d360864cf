use crate::{
    AlpnName, Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, method,
};

/// The services that one ALPN is bound to, and no other.
pub(crate) struct Scope {
    service: Channel,
    alpn: AlpnName,
}

impl Scope {
    pub(crate) fn new(service: Channel, alpn: AlpnName) -> Self {
        Self { service, alpn }
    }

    fn includes(&self, service: &str) -> bool {
        self.alpn.service().names(service) && method::major_version(service) == self.alpn.major()
    }

    fn check(&self, cx: &Context) -> Result<(), Status> {
        if self.includes(cx.service()) {
            return Ok(());
        }
        let refusal =
            format!("this connection is bound to `{}` by its ALPN {}", self.alpn.service(), self.alpn);
        Err(Status::permission_denied(refusal).not_processed())
    }
}

impl Service for Scope {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.check(&cx)?;
        self.service.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.check(&cx)?;
        self.service.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.service.method(path).filter(|method| self.includes(method.service()))
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.service.services().into_iter().filter(|info| self.includes(info.name())).collect()
    }
}
