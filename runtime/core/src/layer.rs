//! The waist inside of tower layers, so that the ecosystem's middleware works on every transport.

mod access;

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use tower::{Layer, load_shed::error::Overloaded, timeout::error::Elapsed};

use crate::{
    Body, Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, messages,
    server::Defined,
};

pub use access::access;

/// A call as tower's middleware sees it: the request of an [`InnerService`].
#[derive(Debug)]
pub struct Request {
    /// Everything but the messages.
    pub context: Context,
    /// The messages.
    pub body: Body,
}

/// A [`Service`] as a tower service: what a tower layer is given to wrap.
#[derive(Clone, Debug)]
pub struct InnerService(Channel);

/// A tower service as a [`Service`]: what [`ServiceExt::layer`] makes of an `S`. What can be done with that as a service, such
/// as `into_grpc` and `into_iroh`, can be done with this.
pub struct Layered<T, S> {
    wrapped: T,
    inner: Channel,
    of: PhantomData<fn() -> S>,
}

impl<T, S: Service> Layered<T, S> {
    pub(crate) fn new<L: Layer<InnerService, Service = T>>(service: S, layer: &L) -> Self {
        let inner = service.into_channel();
        Self { wrapped: layer.layer(InnerService(inner.clone())), inner, of: PhantomData }
    }
}

impl<T, S: Defined> Defined for Layered<T, S> {
    const SERVICE: ServiceInfo = S::SERVICE;
}

impl<T: Clone, S> Clone for Layered<T, S> {
    fn clone(&self) -> Self {
        Self { wrapped: self.wrapped.clone(), inner: self.inner.clone(), of: PhantomData }
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Layered<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("wrapped", &self.wrapped).finish_non_exhaustive()
    }
}

/// A layer that is written as a service around a service, for [`ServiceExt::layer`] and
/// `NodeBuilder::layer`: what is served stays known behind it, whether or not the outer
/// service tells.
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// use polywire::{Channel, Context, Payload, Response, Service, ServiceExt as _, Status, Streaming, layer};
///
/// /// Prints the path of each call.
/// struct Told(Channel);
///
/// impl Service for Told {
///     async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
///         println!("{}", cx.path());
///         self.0.unary(cx, message).await
///     }
///
///     async fn stream(
///         &self,
///         cx: Context,
///         messages: Streaming<Payload>,
///     ) -> Result<Response<Streaming<Payload>>, Status> {
///         println!("{}", cx.path());
///         self.0.stream(cx, messages).await
///     }
/// }
///
/// let told = DemoServer::new(Imp).layer(&layer::wrap(Told));
/// assert_eq!(told.services()[0].name(), "demo.v1.Demo");
/// ```
pub fn wrap<S: Service, F: Fn(Channel) -> S>(make: F) -> Wrap<F> {
    Wrap(make)
}

/// What [`wrap`] gives.
#[derive(Clone, Copy, Debug)]
pub struct Wrap<F>(F);

impl<S: Service, F: Fn(Channel) -> S> Layer<InnerService> for Wrap<F> {
    type Service = InnerService;

    fn layer(&self, inner: InnerService) -> InnerService {
        InnerService((self.0)(inner.0).into_channel())
    }
}

impl tower::Service<Request> for InnerService {
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

/// What can be done with every [`Service`].
pub trait ServiceExt: Service + Sized {
    /// The service inside of a tower layer: the ecosystem's middleware on every transport, on both ends.
    /// An error of the middleware becomes a status: tower's timeout `DeadlineExceeded`, its load shedding
    /// `ResourceExhausted`, a [`Status`] itself, anything else `Unavailable`. What comes of a generated server keeps its
    /// definition: it goes into a tonic `Server` by `into_grpc`, and into iroh's router by `into_iroh`. A layer that is no
    /// tower layer, but a service around a service, goes around it by [`wrap`].
    ///
    /// ```
    /// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
    /// # #[polywire::service(package = "demo.v1")]
    /// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
    /// # struct Imp;
    /// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
    /// use polywire::ServiceExt;
    /// use tower::limit::ConcurrencyLimitLayer;
    ///
    /// let layered = DemoServer::new(Imp).layer(&ConcurrencyLimitLayer::new(64));
    /// let client = DemoClient::new(layered);
    /// ```
    fn layer<L>(self, layer: &L) -> Layered<L::Service, Self>
    where
        L: Layer<InnerService, Service: TowerService>,
    {
        Layered::new(self, layer)
    }

    /// The service as a [`Channel`], which generated clients are made over.
    fn into_channel(self) -> Channel {
        Channel::new(self)
    }
}

impl<S: Service> ServiceExt for S {}

impl Channel {
    /// As [`ServiceExt::layer`], of a channel, which stays one: it [explains](Self::explain) its choices as before.
    #[must_use]
    pub fn layer<L>(self, layer: &L) -> Self
    where
        L: Layer<InnerService, Service: TowerService>,
    {
        Self::new(Layered::<_, Self>::new(self.clone(), layer)).explained_as(&self)
    }
}

/// What [`ServiceExt::layer`] asks of a layered service.
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

impl<T: TowerService, S: Service> Layered<T, S> {
    async fn call(&self, context: Context, body: Body) -> Result<Response<Body>, Status> {
        let mut wrapped = self.wrapped.clone();
        poll_fn(|task| wrapped.poll_ready(task)).await.map_err(|error| status(error.into()))?;
        wrapped.call(Request { context, body }).await.map_err(|error| status(error.into()))
    }
}

impl<T: TowerService, S: Service> Service for Layered<T, S> {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut response = self.call(cx, Body::One(message)).await?.map(Body::stream);
        let message = messages::single(&mut response.message).await?;
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
