//! The waist inside of tower layers, so that the ecosystem's middleware works on every transport.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use tower::{Layer, load_shed::error::Overloaded, timeout::error::Elapsed};

use crate::{
    Body, Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, body,
};

/// A call as tower's middleware sees it: the request of a [`Inner`] service.
#[derive(Debug)]
pub struct Request {
    /// Everything but the messages.
    pub context: Context,
    /// The messages.
    pub body: Body,
}

/// A [`Service`] as a tower service: what a tower layer is given to wrap.
#[derive(Clone, Debug)]
pub struct Inner(Channel);

/// A tower service as a [`Service`]: what [`Service::layer`] gives.
#[derive(Clone, Debug)]
pub struct Layered<T> {
    wrapped: T,
    inner: Channel,
}

impl<T> Layered<T> {
    pub(crate) fn new<L: Layer<Inner, Service = T>>(service: impl Service, layer: &L) -> Self {
        let inner = service.into_channel();
        Self { wrapped: layer.layer(Inner(inner.clone())), inner }
    }
}

impl tower::Service<Request> for Inner {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Request { context, body }: Request) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            match body {
                Body::One(message) => Ok(service.unary(context, message).await?.map(Body::One)),
                Body::Many(messages) => Ok(service.stream(context, messages).await?.map(Body::Many)),
            }
        })
    }
}

/// What [`Service::layer`] asks of a layered service.
pub trait TowerService:
    tower::Service<
        Request,
        Response = Response<Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> TowerService for T where
    T: tower::Service<
            Request,
            Response = Response<Body>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

impl<T: TowerService> Layered<T> {
    async fn call(&self, context: Context, body: Body) -> Result<Response<Body>, Status> {
        let mut wrapped = self.wrapped.clone();
        poll_fn(|task| wrapped.poll_ready(task)).await.map_err(|error| status(error.into()))?;
        wrapped.call(Request { context, body }).await.map_err(|error| status(error.into()))
    }
}

impl<T: TowerService> Service for Layered<T> {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut response = self.call(cx, Body::One(message)).await?.map(Body::stream);
        let message = body::single(&mut response.message).await?;
        response.trailers.extend(response.message.take_trailers());
        Ok(response.map(|_| message))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Ok(self.call(cx, Body::Many(messages)).await?.map(Body::stream))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}

/// What an error of the ecosystem's middleware means to a caller.
fn status(error: Box<dyn Error + Send + Sync>) -> Status {
    let error = match error.downcast::<Status>() {
        Ok(status) => return *status,
        Err(error) => error,
    };
    let text = error.to_string();
    let status = if error.is::<Elapsed>() {
        Status::deadline_exceeded(text)
    } else if error.is::<Overloaded>() {
        Status::resource_exhausted(text).not_processed()
    } else {
        Status::unavailable(text)
    };
    status.with_source(error)
}
