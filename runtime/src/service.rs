use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    Channel, Context, Explanation, Method, Payload, Response, ServiceInfo, Status, Streaming,
    layer::{Inner, Layered, TowerService},
};

/// The waist: what a generated server is, what a router is, what a layer is, what a client's connection
/// is. The same trait at both ends, so any server is a client and any connection can be served.
///
/// It has two verbs. An implementation that knows no better answers both from one place; one that does
/// (a transport with a short way for a single message) gains from being told which it is.
///
/// Dropping the future, or the stream it returned, cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a connection nor a server",
    note = "what a transport makes of a peer, a generated `…Server`, a `Router` and a `Channel` are"
)]
pub trait Service: Send + Sync + 'static {
    /// One message in, one message out.
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send;

    /// Any number of messages in, any number out.
    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send;

    /// What is known of the method at this path, without calling it. `None` where nothing is known,
    /// which is not to say that it is not served: a connection cannot tell.
    fn method(&self, path: &str) -> Option<&'static Method> {
        let _ = path;
        None
    }

    /// The services that answer here, as far as is known without asking anyone.
    fn services(&self) -> Vec<ServiceInfo> {
        Vec::new()
    }

    /// How calls choose among several ways, where they do; a layer of one's own may pass the question on.
    fn explain(&self) -> Option<Explanation> {
        None
    }

    /// The service inside of a tower layer: the ecosystem's middleware on every transport, on both ends.
    /// An error of the middleware becomes a status: tower's timeout `DeadlineExceeded`, its load shedding
    /// `ResourceExhausted`, a [`Status`] itself, anything else `Unavailable`. What comes of a generated server keeps its
    /// definition: it goes into a tonic `Server` by `into_grpc`, and into iroh's router by `into_iroh`. A layer that is no
    /// tower layer, but a service around a service, goes around it by [`layer::wrap`](crate::layer::wrap).
    ///
    /// ```
    /// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
    /// # #[polywire::service(package = "demo.v1")]
    /// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
    /// # struct Imp;
    /// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
    /// use polywire::Service;
    /// use tower::limit::ConcurrencyLimitLayer;
    ///
    /// let layered = DemoServer::new(Imp).layer(&ConcurrencyLimitLayer::new(64));
    /// let client = DemoClient::new(layered);
    /// ```
    fn layer<L>(self, layer: &L) -> Layered<L::Service, Self>
    where
        Self: Sized,
        L: tower::Layer<Inner, Service: TowerService>,
    {
        Layered::new(self, layer)
    }

    /// The service as a [`Channel`], which generated clients are made over.
    fn into_channel(self) -> Channel
    where
        Self: Sized,
    {
        Channel::new(self)
    }
}

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// [`Service`] as an object. Futures own a handle to the service, so that callers can store them.
pub(crate) trait DynService: Send + Sync + 'static {
    fn dyn_unary(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<Result<Response<Payload>, Status>>;

    fn dyn_stream(
        self: Arc<Self>,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> BoxFuture<Result<Response<Streaming<Payload>>, Status>>;

    fn dyn_method(&self, path: &str) -> Option<&'static Method>;

    fn dyn_services(&self) -> Vec<ServiceInfo>;

    fn dyn_explain(&self) -> Option<Explanation>;
}

impl<S: Service> DynService for S {
    fn dyn_unary(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<Result<Response<Payload>, Status>> {
        Box::pin(async move { self.unary(cx, message).await })
    }

    fn dyn_stream(
        self: Arc<Self>,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> BoxFuture<Result<Response<Streaming<Payload>>, Status>> {
        Box::pin(async move { self.stream(cx, messages).await })
    }

    fn dyn_method(&self, path: &str) -> Option<&'static Method> {
        self.method(path)
    }

    fn dyn_services(&self) -> Vec<ServiceInfo> {
        self.services()
    }

    fn dyn_explain(&self) -> Option<Explanation> {
        self.explain()
    }
}
