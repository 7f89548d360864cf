use polywire::{Context, Payload, Response, Service, Status, Streaming, iroh::Handler};
use polywire_tests::endpoint;

/// Answers every method there can be with what came, metadata included; knows the type of nothing.
pub(super) struct Echo;

impl Service for Echo {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let metadata = cx.metadata().clone();
        Ok(Response::new(message).with_metadata(metadata.clone()).with_trailers(metadata))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let (leading, trailing) = (cx.metadata().clone(), cx.metadata().clone());
        Ok(Response::new(messages.with_trailers(|| trailing)).with_metadata(leading))
    }
}

/// An echo that only speaks Iroh: its target, and what keeps it.
pub(super) async fn over_iroh() -> (String, impl Sized) {
    let endpoint = endpoint::plain().await;
    let handler = Handler::new(Echo);
    let router =
        iroh::protocol::Router::builder(endpoint.clone()).accept(polywire::iroh::ALPN, handler).spawn();
    (polywire::Target::from(endpoint.addr()).to_string(), router)
}
