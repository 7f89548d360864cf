use std::{collections::BTreeMap, fmt, future::ready, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{Channel, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming, server};

/// Dispatches calls to several services by path. Clones share the table. Services may be added and removed while calls run;
/// a call in flight keeps its service.
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// use polywire::{Router, Service};
///
/// let router = Router::new().with(DemoServer::new(Imp));
/// assert_eq!(router.services()[0].name(), "demo.v1.Demo");
/// ```
#[derive(Clone, Default)]
pub struct Router(Arc<WatchedTable>);

#[derive(Default)]
struct WatchedTable {
    table: ArcSwap<Table>,
    /// The number of changes of the table.
    changes: watch::Sender<u64>,
}

#[derive(Clone, Default)]
struct Table {
    services: BTreeMap<&'static str, Entry>,
    fallback: Option<Channel>,
}

#[derive(Clone)]
struct Entry {
    info: ServiceInfo,
    channel: Channel,
}

impl Router {
    /// Creates a router without services: every call is `Unimplemented`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds services and returns the router.
    #[must_use]
    pub fn with(self, service: impl Service) -> Self {
        self.add(service);
        self
    }

    /// Adds the services of `service`, and replaces those with the same names. A connection does not know its peer's
    /// services and adds none; use it with [`set_fallback`](Self::set_fallback).
    pub fn add(&self, service: impl Service) {
        let added = std::any::type_name_of_val(&service);
        let channel = Channel::new(service);
        let services = channel.services();
        if services.is_empty() {
            tracing::warn!(added, "what was added to a router names no service, so nothing is routed to it");
        }
        self.change(|table| {
            for info in services {
                table.services.insert(info.name(), Entry { info, channel: channel.clone() });
            }
        });
    }

    /// Removes the service with this name, so that its calls are `Unimplemented`. Returns whether it existed.
    pub fn remove(&self, name: &str) -> bool {
        let mut removed = false;
        self.change(|table| removed = table.services.remove(name).is_some());
        removed
    }

    /// Sets the service for calls that no other service answers, for instance a connection to another node.
    pub fn set_fallback(&self, service: impl Service) {
        let channel = Channel::new(service);
        self.change(|table| table.fallback = Some(channel));
    }

    /// Watches the number of changes of the table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        // Two changes at once would lose one, so they take turns here; calls never wait.
        self.0.changes.send_modify(|changes| {
            let mut table = Table::clone(&self.0.table.load());
            change(&mut table);
            self.0.table.store(Arc::new(table));
            *changes += 1;
        });
    }

    fn route(&self, cx: &Context) -> Result<Channel, Status> {
        let table = self.0.table.load();
        match table.services.get(cx.service()) {
            Some(entry) => Ok(entry.channel.clone()),
            None => table.fallback.clone().ok_or_else(|| server::unimplemented(cx)),
        }
    }
}

impl Service for Router {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.route(&cx)?.unary(cx, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        match self.route(&cx) {
            Ok(channel) => channel.call(cx, message),
            Err(status) => Box::pin(ready(Err(status))),
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.route(&cx)?.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.0.table.load().services.get(crate::method::split(path).0)?.info.find(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.0.table.load().services.values().map(|entry| entry.info).collect()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services().iter().map(ServiceInfo::name)).finish()
    }
}
