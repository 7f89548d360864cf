use std::{error::Error, fmt, future::Future, sync::Arc};

use super::{Parts, Targets};
use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::method, AlpnName, Channel, ChannelBuilder, ConnectOptions, transport::LiveTarget,
};

/// Something of a node that has services and a life of its own: it starts once the node is bound and can say
/// where it is reached, and ends with it.
///
/// A component is made with the node's [`Parts`], also where the node is never started and only asked what it
/// would serve: what is slow or can fail belongs into [`start`](Self::start). Its services are there from the
/// beginning; calls that come before it has started are its own to refuse.
///
/// The node starts its components in the order in which they were added, before the first health checks and before
/// any call is taken, and ends them in reverse.
pub trait Component: Send + Sync + 'static {
    /// Its name in errors, such as `cluster`.
    fn name(&self) -> &'static str;

    /// The services that it answers for.
    fn services(&self) -> Vec<Channel> {
        Vec::new()
    }

    /// Begins. Everything has been bound, and nothing is served yet.
    ///
    /// # Errors
    /// Why it cannot; the node does not start then. [`stop`](Self::stop) is not called.
    fn start(&self, node: NodeHandle) -> impl Future<Output = Result<(), ComponentError>> + Send;

    /// The node has said that it drains, and still takes calls: the time to hand over what others should go on
    /// with. Bounded by the node's drain timeout.
    fn drain(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// No call is in flight any more, and none comes. Bounded to a few seconds.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Why a component cannot start.
pub type ComponentError = Box<dyn Error + Send + Sync>;

/// A node that is bound, to those who live in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct NodeHandle {
    /// What the node is made of.
    pub parts: Parts,
    /// Where the node was reached once it was bound.
    pub targets: Targets,
    pub(super) live: Arc<[(&'static str, LiveTarget)]>,
    pub(super) alpns: Arc<[(&'static str, Vec<String>)]>,
    /// The options for calls that the node itself makes: over what it has bound, under its identity.
    pub connect_options: ConnectOptions,
}

impl NodeHandle {
    /// A channel to a peer of the node, being put together: it chooses among the peer's targets as `transport.strategy` says,
    /// and calls under the node's identity.
    pub fn channel(&self) -> ChannelBuilder {
        Channel::builder().options(self.connect_options.clone()).policy(self.parts.policies.clone())
    }

    /// Where the node is reached now: addresses come and go with the networks of a machine.
    pub fn targets_now(&self) -> Targets {
        let transports = self.live.iter().map(|(name, target)| (*name, target())).collect();
        Targets { transports, ..self.targets.clone() }
    }

    /// The protocols (ALPN) by which a connection over this transport leads to the service `package.Service`; none where
    /// the transport does without.
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
    /// The services of all of them, each with the name of the component that brings it.
    pub(super) fn services(&self) -> impl Iterator<Item = (&'static str, Channel)> {
        let named = |component: &Arc<dyn DynComponent>| {
            let name = component.dyn_name();
            component.dyn_services().into_iter().map(move |service| (name, service))
        };
        self.0.iter().flat_map(named)
    }

    /// Starts all of them. Those that have started end again where a later one cannot.
    pub(super) async fn start(&self, node: &NodeHandle) -> Result<(), (&'static str, ComponentError)> {
        for (index, component) in self.0.iter().enumerate() {
            if let Err(error) = component.clone().dyn_start(node.clone()).await {
                Self(self.0[..index].to_vec()).stop().await;
                return Err((component.dyn_name(), error));
            }
        }
        Ok(())
    }

    /// Lets all of them hand over, side by side.
    pub(super) async fn drain(&self) {
        futures_util::future::join_all(self.0.iter().cloned().map(DynComponent::dyn_drain)).await;
    }

    /// Ends all of them, the last one first.
    pub(super) async fn stop(&self) {
        for component in self.0.iter().rev().cloned() {
            let name = component.dyn_name();
            if tokio::time::timeout(STOPPING, component.dyn_stop()).await.is_err() {
                tracing::warn!(component = name, after = ?STOPPING, "a component does not end, and is left");
            }
        }
    }
}

/// How long a component may take to end.
const STOPPING: std::time::Duration = std::time::Duration::from_secs(2);

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|component| component.dyn_name())).finish()
    }
}
