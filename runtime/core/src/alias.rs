use std::{collections::HashMap, fmt, future::Future, sync::Arc};

use crate::{
    __private, Body, Channel, Context, Message, Method, Payload, Response, Service, ServiceInfo, Status,
    Streaming, context::Path, deadline, messages, panic, server,
};
use futures_util::future::BoxFuture;

/// One service whose methods are those of others: under an old name, say, for clients that know no other.
///
/// Each row of its table is bound to a method of a service that there is, whose messages it then shares, or to a
/// function from request to answer. On every transport it is a service like any other.
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Text { #[prost(string, tag = "1")] text: String }
/// # #[polywire::service(package = "greeter.v2")]
/// # pub trait Greeter { async fn greet(&self, request: Text) -> Result<Text, polywire::Status>; }
/// # struct Imp;
/// # impl Greeter for Imp { async fn greet(&self, r: Text) -> Result<Text, polywire::Status> { Ok(Text { text: format!("hello {}", r.text) }) } }
/// use polywire::{Context, Alias, Method, ServiceInfo, Status};
///
/// const OLD: ServiceInfo = ServiceInfo::new("old.Office", "The office, as it was.", &[
///     Method::unary("/old.Office/SayHello"),
///     Method::unary("/old.Office/Shout").idempotent(),
/// ]);
///
/// # async fn show() -> Result<(), Status> {
/// let greeter = GreeterServer::new(Imp);
/// let office = Alias::new(OLD)
///     .method("SayHello", greeter, "/greeter.v2.Greeter/Greet")
///     .function("Shout", async |_: Context, request: Text| Ok::<_, Status>(Text { text: request.text.to_uppercase() }));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Alias {
    info: ServiceInfo,
    bound: Arc<HashMap<&'static str, Bound>>,
}

/// What answers one method.
#[derive(Clone)]
enum Bound {
    /// Another method.
    Method(Channel, &'static str),
    /// A function.
    Function(Arc<Function>),
}

type Function =
    dyn Fn(Context, Payload) -> BoxFuture<'static, Result<Response<Payload>, Status>> + Send + Sync;

impl Alias {
    /// The service with this table; each of its methods is to be bound.
    pub fn new(info: ServiceInfo) -> Self {
        Self { info, bound: Arc::default() }
    }

    /// Binds a method of any shape to another, `/package.Service/Method`, of this service.
    ///
    /// # Panics
    /// When the table has no method of this name.
    #[must_use]
    pub fn method(self, name: &str, service: impl Service, path: &'static str) -> Self {
        self.bind(name, Bound::Method(Channel::new(service), path))
    }

    /// Binds a unary method to a function.
    ///
    /// # Panics
    /// When the table has no method of this name.
    #[must_use]
    pub fn function<I, O, E, F, R>(self, name: &str, function: F) -> Self
    where
        I: Message,
        O: Message,
        E: Into<Status>,
        F: Fn(Context, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, E>> + Send + 'static,
    {
        let function = Arc::new(function);
        let answer = move |cx, message: Payload| {
            let function = function.clone();
            Box::pin(async move {
                let request = __private::one(Body::One(message))?;
                let answer = function(cx, request).await.map_err(|error| error.into().processed())?;
                Ok(Response::new(Payload::new(answer)))
            }) as BoxFuture<'static, _>
        };
        self.bind(name, Bound::Function(Arc::new(answer)))
    }

    fn bind(mut self, name: &str, bound: Bound) -> Self {
        let method = self.info.methods().iter().find(|method| method.name() == name);
        let Some(method) = method else { panic!("{} has no method {name}", self.info.name()) };
        Arc::make_mut(&mut self.bound).insert(method.path(), bound);
        self
    }

    /// What answers this call, with its timeout.
    fn enter(&self, cx: &mut Context) -> Result<Bound, Status> {
        let method = self.info.find(cx.path());
        let bound = method.and_then(|method| self.bound.get(method.path()));
        let (Some(method), Some(bound)) = (method, bound) else { return Err(server::unimplemented(cx)) };
        cx.path = Path::Static(method.path());
        if let Some(timeout) = method.default_timeout() {
            cx.shorten_to(timeout);
        }
        if let Bound::Method(_, path) = bound {
            cx.path = Path::Static(path);
        }
        Ok(bound.clone())
    }
}

impl Service for Alias {
    async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        match self.enter(&mut cx)? {
            Bound::Method(channel, _) => channel.unary(cx, message).await,
            Bound::Function(function) => {
                let (deadline, path) = (cx.deadline, cx.path.clone());
                deadline::bound(deadline, panic::guard(path, function(cx, message))).await
            }
        }
    }

    async fn stream(
        &self,
        mut cx: Context,
        mut messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        match self.enter(&mut cx)? {
            Bound::Method(channel, _) => channel.stream(cx, messages).await,
            Bound::Function(function) => {
                let (deadline, path) = (cx.deadline, cx.path.clone());
                let single = deadline::bound(deadline, messages::single(&mut messages));
                let message = single.await.map_err(Status::not_processed)?;
                let answer = deadline::bound(deadline, panic::guard(path, function(cx, message))).await?;
                Ok(answer.map(Streaming::once))
            }
        }
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.info.find(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        vec![self.info]
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alias").field("service", &self.info.name()).finish_non_exhaustive()
    }
}
