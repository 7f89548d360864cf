//! Access control around a service, for programs without a node.

use std::{fmt, future::ready, sync::Arc};

use futures_util::future::BoxFuture;
use tower::Layer;

use super::{InnerService, wrap};
use crate::{
    Authorize, Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming,
    access::{AccessControl, lease},
};

/// A layer that asks before each call whether its caller may make it, for services that are served without a node: by a
/// tonic `Server`, by iroh's router, or by a transport of this crate.
///
/// A node asks at its edge, before a message is decoded, and needs no layer.
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// use std::sync::Arc;
///
/// use polywire::{
///     AccessClass, ServiceExt as _,
///     access::{AccessControl, AccessRules},
/// };
///
/// let rules = AccessRules::new().allow(["dns:api.example.org".parse()?], [AccessClass::Application.into()]);
/// let access = Arc::new(AccessControl::new(rules));
/// let guarded = DemoServer::new(Imp).layer(&access.layer());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn access(authorize: Arc<dyn Authorize>) -> impl Layer<InnerService, Service = InnerService> + Clone {
    wrap(move |inner| Guarded { inner, authorize: authorize.clone() })
}

impl AccessControl {
    /// A [layer](access) that asks this.
    pub fn layer(self: &Arc<Self>) -> impl Layer<InnerService, Service = InnerService> + Clone + use<> {
        access(self.clone())
    }
}

/// A service whose calls are asked about.
struct Guarded {
    inner: Channel,
    authorize: Arc<dyn Authorize>,
}

impl Guarded {
    fn admit(&self, cx: Context) -> Result<Context, Status> {
        let mut cx = self.known(cx);
        self.authorize.authorize(&mut cx)?;
        Ok(cx)
    }

    fn known(&self, mut cx: Context) -> Context {
        cx.method = cx.method.or_else(|| self.inner.method(cx.path()));
        cx
    }
}

impl Service for Guarded {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.inner.unary(self.admit(cx)?, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        match self.admit(cx) {
            Ok(cx) => self.inner.call(cx, message),
            Err(status) => Box::pin(ready(Err(status))),
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let mut cx = self.known(cx);
        let lease = self.authorize.authorize_stream(&mut cx)?;
        let response = lease::bound(lease.as_ref(), self.inner.stream(cx, messages)).await?;
        Ok(response.map(|messages| lease::bound_stream(lease, messages)))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Code, Identity, Router, ServiceExt as _, access::AccessRules};

    #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
    struct Empty {}

    #[polywire::service(package = "guarded.v1", access = "operator")]
    trait Guarded {
        #[rpc(access = "public")]
        async fn check(&self, request: Empty) -> Result<Empty, Status>;
        async fn remove(&self, cx: &Context, request: Empty) -> Result<Empty, Status>;
        async fn watch(&self, request: Empty) -> Result<Streaming<Empty>, Status>;
    }

    struct Node;

    impl Guarded for Node {
        async fn check(&self, request: Empty) -> Result<Empty, Status> {
            Ok(request)
        }

        async fn remove(&self, cx: &Context, request: Empty) -> Result<Empty, Status> {
            cx.require(&Identity::Uid(1))?;
            Ok(request)
        }

        async fn watch(&self, _: Empty) -> Result<Streaming<Empty>, Status> {
            Ok(Streaming::empty())
        }
    }

    fn call(path: &'static str, caller: Caller) -> Context {
        Context::incoming(path, Arc::new(caller)).unwrap()
    }

    #[tokio::test]
    async fn a_layer_refuses_what_the_rules_do_not_allow_in_both_verbs() {
        let rules = AccessRules::new()
            .allow([Identity::Uid(1).into(), Identity::Uid(2).into()], ["operator".parse().unwrap()]);
        let access = Arc::new(AccessControl::new(rules));
        let service = GuardedServer::new(Node).layer(&access.layer());
        assert_eq!(service.services()[0].name(), "guarded.v1.Guarded");
        let stranger = || Caller::new("grpc");
        let uid = |uid| stranger().with_identity(Identity::Uid(uid));
        let cases = [
            ("/guarded.v1.Guarded/Check", stranger(), Code::Ok),
            ("/guarded.v1.Guarded/Remove", stranger(), Code::Unauthenticated),
            ("/guarded.v1.Guarded/Remove", uid(3), Code::PermissionDenied),
            ("/guarded.v1.Guarded/Remove", uid(1), Code::Ok),
            // The handler asks for another one.
            ("/guarded.v1.Guarded/Remove", uid(2), Code::PermissionDenied),
            ("/guarded.v1.Guarded/Watch", stranger(), Code::Unauthenticated),
        ];
        for (path, caller, code) in cases {
            let unary = service.unary(call(path, caller.clone()), Payload::new(Empty {})).await;
            let requests = Streaming::once(Payload::new(Empty {}));
            let streamed = service.stream(call(path, caller.clone()), requests).await;
            for (verb, error) in [("unary", unary.err()), ("stream", streamed.err())] {
                let found = error.map_or(Code::Ok, |error| error.code());
                assert_eq!(found, code, "{verb} {path} {caller:?}");
            }
        }
        let watched = service
            .stream(call("/guarded.v1.Guarded/Watch", uid(1)), Streaming::once(Payload::new(Empty {})));
        assert!(watched.await.is_ok());
    }

    #[tokio::test]
    async fn a_refused_caller_learns_nothing_of_a_router() {
        let access = Arc::new(AccessControl::new(AccessRules::new()));
        let router = Router::new().with(GuardedServer::new(Node)).layer(&access.layer());
        for path in ["/guarded.v1.Guarded/Nil", "/other.v1.Other/Get"] {
            let unknown = router.unary(call(path, Caller::new("grpc")), Payload::new(Empty {})).await;
            assert_eq!(unknown.unwrap_err().code(), Code::Unauthenticated, "{path}");
        }
    }
}
