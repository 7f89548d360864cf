use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use futures_util::future::{BoxFuture, Either, ready};
use tokio::time::Instant;

use crate::{
    Body, Context, Method, Payload, Response, Service, ServiceInfo, Shape, Status, Streaming, Truncated,
    context::Path, deadline, messages, panic, server_timing,
};

/// The definition of a service, from the macro: its method table.
pub trait Definition: Send + Sync + 'static {
    /// The method table.
    const SERVICE: ServiceInfo;
}

/// A service with a definition from the macro: a [`Server`], or a layer around one.
pub trait Defined {
    /// The method table.
    const SERVICE: ServiceInfo;
}

/// Dispatches calls of a [`Definition`] to an implementation of its trait.
#[diagnostic::on_unimplemented(
    message = "`{T}` does not implement the service's trait",
    note = "a server is made of a value that implements the annotated trait"
)]
pub trait Dispatch<T>: Definition {
    /// Calls the method.
    fn dispatch(
        service: &T,
        method: &'static Method,
        cx: &Context,
        body: Body,
    ) -> impl Future<Output = Result<Response<Body>, Status>> + Send;
}

/// An implementation of an annotated trait, ready to answer calls: a [`Service`]. A generated
/// `GreeterServer<T>` is an alias of this.
///
/// For calls on every transport it enforces the deadline, applies the method's own timeout, and converts a panic in the
/// handler to `Internal` for that call.
pub struct Server<D, T> {
    implementation: Arc<T>,
    definition: PhantomData<fn() -> D>,
}

impl<D: Dispatch<T>, T: Send + Sync + 'static> Server<D, T> {
    /// Creates a server of this implementation.
    pub fn new(implementation: T) -> Self {
        Self::from_arc(Arc::new(implementation))
    }

    /// Creates a server of a shared implementation.
    pub fn from_arc(implementation: Arc<T>) -> Self {
        Self { implementation, definition: PhantomData }
    }

    /// The implementation.
    pub fn info(&self) -> ServiceInfo {
        D::SERVICE
    }

    /// Answers a call of one request and one response.
    fn answer(
        implementation: Arc<T>,
        mut cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send + use<D, T> {
        if message.is_uncompressed() {
            cx.compression = None;
        }
        let begun = server_timing::is_asked(&cx.metadata).then(Instant::now);
        let entered = Entered::<D>::enter(&mut cx).and_then(|entered| {
            expect_unary(entered.method)?;
            entered.check_time()?;
            Ok(entered)
        });
        let entered = match entered {
            Ok(entered) => entered,
            Err(status) => return Either::Left(ready(Err(status))),
        };
        Either::Right(async move {
            let handler = D::dispatch(&implementation, entered.method, &cx, Body::One(message));
            let Response { metadata, message, mut trailers, compression } = entered.guard(handler).await?;
            let message = match message {
                Body::One(message) => message,
                // Boxed, so that the rare case does not make the usual one's future larger.
                Body::Many(messages) => {
                    let mut messages = entered.bound(messages);
                    let message = Box::pin(messages::single(&mut messages)).await?;
                    trailers.extend(messages.take_trailers());
                    message
                }
            };
            if let Some(begun) = begun {
                server_timing::tell(&mut trailers, begun.elapsed());
            }
            Ok(Response { metadata, message, trailers, compression })
        })
    }
}

/// A call of one of the definition's methods, before its handler begins.
struct Entered<D> {
    method: &'static Method,
    /// When no handler may begin any more.
    deadline: Option<Instant>,
    /// Whether the inbound edge enforces the deadline and catches panics; what it does is not done again.
    is_enforced: bool,
    definition: PhantomData<fn() -> D>,
}

impl<D: Definition> Entered<D> {
    /// Finds the method and applies its timeout.
    ///
    /// # Errors
    /// `Unimplemented` if the definition has no such method.
    fn enter(cx: &mut Context) -> Result<Self, Status> {
        let method = row::<D>(cx).ok_or_else(|| unimplemented(cx))?;
        cx.path = Path::Static(method.path());
        let is_enforced = std::mem::take(&mut cx.is_enforced);
        if let Some(timeout) = method.default_timeout().filter(|_| !is_enforced) {
            cx.shorten_to(timeout);
        }
        Ok(Self { method, deadline: cx.deadline, is_enforced, definition: PhantomData })
    }

    /// Refuses a call whose time is over: a layer may have held it back so long.
    fn check_time(&self) -> Result<(), Status> {
        if self.is_enforced && self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(deadline::exceeded().not_processed());
        }
        Ok(())
    }

    /// The deadline that is enforced here.
    fn own_deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.is_enforced)
    }

    /// The handler within its deadline, its panics caught. What it says is marked as processed where its outcome is taken,
    /// by `__private::respond`.
    fn guard<F>(&self, handler: F) -> deadline::Bound<panic::Guard<F>> {
        let handler = panic::guard_unless(self.is_enforced, Path::Static(self.method.path()), handler);
        deadline::bound(self.own_deadline(), handler)
    }

    /// The handler's messages within the same.
    fn bound(&self, messages: Streaming<Payload>) -> Streaming<Payload> {
        if self.is_enforced {
            return messages;
        }
        let messages = panic::guard_stream(Path::Static(self.method.path()), messages);
        deadline::bound_stream(self.deadline, messages)
    }
}

/// The row of the method table: the one that the inbound edge has found, if it is of this table.
fn row<D: Definition>(cx: &Context) -> Option<&'static Method> {
    let rows = D::SERVICE.methods().as_ptr_range();
    let found = cx.method.filter(|method| rows.contains(&std::ptr::from_ref(*method)));
    found.filter(|method| method.path() == cx.path()).or_else(|| D::SERVICE.find(cx.path()))
}

impl<D: Dispatch<T>, T: Send + Sync + 'static> Service for Server<D, T> {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        Self::answer(self.implementation.clone(), cx, message)
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        Box::pin(Self::answer(self.implementation.clone(), cx, message))
    }

    async fn stream(
        &self,
        mut cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let messages = messages.received_with(cx.compression);
        let entered = Entered::<D>::enter(&mut cx)?;
        let mut body = Body::Many(messages);
        if !entered.method.shape().streams_requests() {
            // What goes wrong before the one request is there has reached no handler.
            let single = deadline::bound(entered.deadline, body.single());
            body = Body::One(single.await.map_err(Status::not_processed)?);
        }
        entered.check_time()?;
        let handler = D::dispatch(&self.implementation, entered.method, &cx, body);
        let mut response = entered.guard(handler).await?.map(|body| match body {
            Body::Many(messages) => entered.bound(messages),
            body => body.stream(),
        });
        let trailers = std::mem::take(&mut response.trailers);
        Ok(response.map(
            |messages| {
                if trailers.is_empty() { messages } else { messages.with_trailers(|| trailers) }
            },
        ))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        D::SERVICE.find(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        vec![D::SERVICE]
    }
}

impl<D: Definition, T> Defined for Server<D, T> {
    const SERVICE: ServiceInfo = D::SERVICE;
}

impl<D, T> Clone for Server<D, T> {
    fn clone(&self) -> Self {
        Self { implementation: self.implementation.clone(), definition: PhantomData }
    }
}

impl<D: Definition, T> fmt::Debug for Server<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("service", &D::SERVICE.name()).finish_non_exhaustive()
    }
}

/// Checks that the method allows a unary call.
///
/// # Errors
/// `Unimplemented` for a streaming method: its responses would be held back until the last one, which may never come.
pub(crate) fn expect_unary(method: &Method) -> Result<(), Status> {
    match method.shape() {
        Shape::Unary => Ok(()),
        shape => {
            let refusal =
                format!("{} is {shape}; expected a call that streams and not a unary one", method.path());
            Err(Status::unimplemented(refusal).not_processed())
        }
    }
}

/// The status for an unknown path: certainly not processed.
pub(crate) fn unimplemented(cx: &Context) -> Status {
    Status::unimplemented(format!("no method {} is served here", Truncated(cx.path()))).not_processed()
}

#[cfg(test)]
mod tests;
