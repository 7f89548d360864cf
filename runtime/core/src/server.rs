use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use tokio::time::Instant;

use crate::{
    Body, Context, Method, Payload, Response, Service, ServiceInfo, Shape, Status, Streaming, Truncated,
    body, context::Path, deadline, panic, server_timing,
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

    async fn call(&self, mut cx: Context, body: Body) -> Result<Response<Body>, Status> {
        let Some(method) = D::SERVICE.find(cx.path()) else {
            return Err(unimplemented(&cx));
        };
        let path = Path::Static(method.path());
        cx.path = path.clone();
        if let Some(timeout) = method.default_timeout() {
            cx.shorten_to(timeout);
        }
        let deadline = cx.deadline;
        let body = match body {
            // What goes wrong before the one request is there has reached no handler. Boxed, as such calls are few.
            Body::Many(_) if !method.shape().streams_requests() => {
                let single = Box::pin(deadline::bound(deadline, body.single()));
                Body::One(single.await.map_err(Status::not_processed)?)
            }
            Body::One(message) => {
                expect_unary(method)?;
                Body::One(message)
            }
            body => body,
        };
        // What the handler says is marked as processed where its outcome is taken, by `__private::respond`.
        let handler = panic::guard(path.clone(), D::dispatch(&self.implementation, method, &cx, body));
        let response = deadline::bound(deadline, handler).await?;
        Ok(response.map(|body| match body {
            Body::One(message) => Body::One(message),
            Body::Many(messages) => {
                Body::Many(deadline::bound_stream(deadline, panic::guard_stream(path, messages)))
            }
        }))
    }
}

impl<D: Dispatch<T>, T: Send + Sync + 'static> Service for Server<D, T> {
    async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        if message.is_uncompressed() {
            cx.compression = None;
        }
        let begun = server_timing::is_asked(cx.metadata()).then(Instant::now);
        let response = self.call(cx, Body::One(message)).await?;
        let Response { metadata, message, mut trailers, compression } = response;
        let message = match message {
            Body::One(message) => message,
            // Boxed, so that the rare case does not make the usual one's future larger.
            Body::Many(mut messages) => {
                let message = Box::pin(body::single(&mut messages)).await?;
                trailers.extend(messages.take_trailers());
                message
            }
        };
        if let Some(begun) = begun {
            server_timing::tell(&mut trailers, begun.elapsed());
        }
        Ok(Response { metadata, message, trailers, compression })
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let messages = messages.received_with(cx.compression);
        let mut response = self.call(cx, Body::Many(messages)).await?.map(Body::stream);
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
