use std::convert::Infallible;
use std::error::Error;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower::Service;

use super::ConnectionInfo;

/// What a [`Listener`](super::Listener) serves: any tower service over HTTP that answers every request.
///
/// Implemented for everything that fits, an axum `Router` or tonic's `Routes` for instance; not to be
/// implemented by hand.
pub trait HttpService:
    Service<
        Request<Incoming>,
        Response = Response<Self::ResponseBody>,
        Error = Infallible,
        Future = Self::Answer,
    > + Clone
    + Send
    + 'static
{
    /// The body of an answer.
    type ResponseBody: Body<Data = Bytes, Error = Self::BodyError> + Send + 'static;
    /// What can break a body off.
    type BodyError: Into<Box<dyn Error + Send + Sync>>;
    /// The future of an answer.
    type Answer: Future<Output = Result<Response<Self::ResponseBody>, Infallible>> + Send + 'static;
}

impl<S, B> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type ResponseBody = B;
    type BodyError = B::Error;
    type Answer = S::Future;
}

/// Adds the connection to every request's extensions.
#[derive(Clone)]
pub(super) struct Informed<S> {
    service: S,
    info: ConnectionInfo,
}

impl<S> Informed<S> {
    pub(super) const fn new(service: S, info: ConnectionInfo) -> Self {
        Self { service, info }
    }
}

impl<S, B> Service<Request<B>> for Informed<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.info.clone());
        self.service.call(request)
    }
}
