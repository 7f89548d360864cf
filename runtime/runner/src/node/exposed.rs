use std::{future::ready, sync::Arc};

use futures_util::future::BoxFuture;

use super::{Exposure, tokens::TokensSlot};
use polywire_core::{
    __runner::{Meter, is_admitted},
    Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    access::AccessControl,
    observer::Observer,
};

/// What answers the calls of one transport. Calls that came through the inbound edge have been counted and admitted; those of
/// a transport that goes past it are counted and admitted here.
pub(super) struct Admitting {
    admitted: Exposed,
    others: Channel,
}

impl Admitting {
    pub(super) fn new(exposed: Exposed, access: &Arc<AccessControl>, metrics: Arc<dyn Observer>) -> Self {
        let guarded = Channel::new(exposed.clone()).layer(&access.layer());
        Self { admitted: exposed, others: Channel::new(Meter::server(guarded, metrics)) }
    }
}

impl Service for Admitting {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        if is_admitted(&cx) {
            return self.admitted.unary(cx, message).await;
        }
        self.others.unary(cx, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        match is_admitted(&cx) {
            true => self.admitted.call(cx, message),
            false => self.others.call(cx, message),
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        if is_admitted(&cx) {
            return self.admitted.stream(cx, messages).await;
        }
        self.others.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.admitted.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.admitted.services()
    }
}

/// The services of one transport: all that are not retired on it.
#[derive(Clone)]
pub(super) struct Exposed {
    pub(super) service: Channel,
    pub(super) exposure: Exposure,
    pub(super) tokens: TokensSlot,
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

    fn call(&self, cx: Context, message: Payload) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        if let Err(status) = self.check(&cx) {
            return Box::pin(ready(Err(status)));
        }
        match self.tokens.get() {
            Some(tokens) if tokens.counts(&cx) => {
                let (tokens, service) = (tokens.clone(), self.service.clone());
                Box::pin(async move {
                    tokens.count(&cx).await?;
                    service.call(cx, message).await
                })
            }
            Some(_) | None => self.service.call(cx, message),
        }
    }

    /// Counts the call, if it was admitted by a token that is good for a number of calls.
    async fn count(&self, cx: &Context) -> Result<(), Status> {
        match self.tokens.get() {
            Some(tokens) => tokens.count(cx).await,
            None => Ok(()),
        }
    }
}

impl Service for Exposed {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        self.call(cx, message)
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.call(cx, message)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.check(&cx)?;
        self.count(&cx).await?;
        self.service.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.service.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.service.services()
    }
}
