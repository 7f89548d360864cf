use std::{error::Error, fmt, future::Future, sync::Arc};

use super::{Parts, Targets};
use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::method, AlpnName, Channel, ChannelBuilder, ConnectOptions, transport::LiveTarget,
};

/// A part of a node with services and a lifecycle. It starts once the node is bound and its targets are known, and stops
/// with the node.
///
/// The node creates components from its [`Parts`] even if it only lists its services and never starts. Slow or fallible
/// work belongs into [`start`](Self::start). The services exist from the beginning; the component must refuse calls that
/// arrive before it has started.
///
/// The node starts components in the order in which they were added, before the first health checks and before it accepts
/// calls, and stops them in reverse order.
pub trait Component: Send + Sync + 'static {
    /// The name for error texts, such as `cluster`.
    fn name(&self) -> &'static str;

    /// The component's services.
    fn services(&self) -> Vec<Channel> {
        Vec::new()
    }

    /// Starts the component. All transports are bound and do not serve yet.
    ///
    /// # Errors
    /// If the component cannot start. The node then does not start, and does not call [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// The node drops the future if its own start is cancelled.
    fn start(&self, node: NodeHandle) -> impl Future<Output = Result<(), ComponentError>> + Send;

    /// Hands over work to other nodes. The node has announced its drain and still accepts calls. Bounded by the node's
    /// drain timeout.
    ///
    /// # Cancel safety
    /// The node drops the future at the drain timeout.
    fn drain(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Stops the component. No calls are in flight, and none will arrive. Bounded to 2 seconds.
    ///
    /// # Cancel safety
    /// The node drops the future when that time is over.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// The error of a component that cannot start.
pub type ComponentError = Box<dyn Error + Send + Sync>;

/// A bound node, as its components see it.
#[derive(Clone)]
#[non_exhaustive]
pub struct NodeHandle {
    /// The node's parts.
    pub parts: Parts,
    /// The node's targets at the time of binding.
    pub targets: Targets,
    pub(super) live: Arc<[(&'static str, LiveTarget)]>,
    pub(super) alpns: Arc<[(&'static str, Vec<String>)]>,
    /// The options of the node's calls to the members of its cluster, which use its bound sockets and its identity, and
    /// trust `cluster.ca` where it is set.
    pub connect_options: ConnectOptions,
}

impl NodeHandle {
    /// Builds a channel to a peer. The channel chooses among the peer's targets by `transport.strategy` and calls with the
    /// node's identity.
    pub fn channel(&self) -> ChannelBuilder {
        Channel::builder().options(self.connect_options.clone()).policy(self.parts.policies.clone())
    }

    /// The node's current targets. Addresses change with the networks of the machine.
    pub fn targets_now(&self) -> Targets {
        let transports = self.live.iter().map(|(name, target)| (*name, target())).collect();
        Targets { transports, ..self.targets.clone() }
    }

    /// The ALPN protocols of connections on this transport that reach the service `package.Service`; empty for transports
    /// without ALPN.
    pub fn alpns(&self, transport: &str, service: &str) -> Vec<String> {
        let leads = |alpn: &&String| match alpn.parse::<AlpnName>() {
            Ok(name) => name.service().names(service) && name.major() == method::major_version(service),
            Err(_) => true,
        };
        let own = self.alpns.iter().filter(|(name, _)| *name == transport);
        own.flat_map(|(_, alpns)| alpns).filter(leads).cloned().collect()
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeHandle").field("targets", &self.targets).finish_non_exhaustive()
    }
}

/// [`Component`] as an object.
pub(super) trait DynComponent: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_services(&self) -> Vec<Channel>;

    fn dyn_start(self: Arc<Self>, node: NodeHandle) -> BoxFuture<'static, Result<(), ComponentError>>;

    fn dyn_drain(self: Arc<Self>) -> BoxFuture<'static, ()>;

    fn dyn_stop(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl<C: Component> DynComponent for C {
    fn dyn_name(&self) -> &'static str {
        self.name()
    }

    fn dyn_services(&self) -> Vec<Channel> {
        self.services()
    }

    fn dyn_start(self: Arc<Self>, node: NodeHandle) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move { self.start(node).await })
    }

    fn dyn_drain(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.drain().await })
    }

    fn dyn_stop(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.stop().await })
    }
}

/// The components of a node, in the order in which they start.
#[derive(Clone, Default)]
pub(super) struct Components(pub(super) Vec<Arc<dyn DynComponent>>);

impl Components {
    /// The services of all components, each with the name of its component.
    pub(super) fn services(&self) -> impl Iterator<Item = (&'static str, Channel)> {
        let named = |component: &Arc<dyn DynComponent>| {
            let name = component.dyn_name();
            component.dyn_services().into_iter().map(move |service| (name, service))
        };
        self.0.iter().flat_map(named)
    }

    /// Starts all components. If one fails, those already started are stopped.
    pub(super) async fn start(&self, node: &NodeHandle) -> Result<(), (&'static str, ComponentError)> {
        for (index, component) in self.0.iter().enumerate() {
            if let Err(error) = component.clone().dyn_start(node.clone()).await {
                Self(self.0[..index].to_vec()).stop().await;
                return Err((component.dyn_name(), error));
            }
        }
        Ok(())
    }

    /// Drains all components concurrently.
    pub(super) async fn drain(&self) {
        futures_util::future::join_all(self.0.iter().cloned().map(DynComponent::dyn_drain)).await;
    }

    /// Stops all components, the last one first.
    pub(super) async fn stop(&self) {
        for component in self.0.iter().rev().cloned() {
            let name = component.dyn_name();
            if tokio::time::timeout(STOPPING, component.dyn_stop()).await.is_err() {
                tracing::warn!(component = name, after = ?STOPPING, "a component did not stop in time");
            }
        }
    }
}

/// The timeout of stopping a component.
const STOPPING: std::time::Duration = std::time::Duration::from_secs(2);

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|component| component.dyn_name())).finish()
    }
}
