use super::Exposure;
use polywire_core::{Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming};

/// The services of one transport: all that are not retired on it.
pub(super) struct Exposed {
    pub(super) service: Channel,
    pub(super) exposure: Exposure,
    pub(super) transport: &'static str,
}

impl Exposed {
    fn check(&self, cx: &Context) -> Result<(), Status> {
        let service = cx.service();
        if self.exposure.is_served(service, self.transport) {
            return Ok(());
        }
        let refusal = format!(
            "{service} is not served on gRPC any more (transport.strategy.retired_on_grpc); call it over Iroh"
        );
        Err(Status::unimplemented(refusal).not_processed())
    }
}

impl Service for Exposed {
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
        self.service.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.service.services()
    }
}
