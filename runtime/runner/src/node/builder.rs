use std::{any::type_name, fmt, sync::Arc};

use bytes::Bytes;
use prost_reflect::DescriptorPool;

use super::{
    Component, Exposure, Node, NodeError, NodeExtension, Upstream,
    component::{Components, DynComponent},
    jwt::NodeJwts,
    running, schema,
    served::Served,
    shared::SharedValues,
    tokens::TokensSlot,
    transports,
};
use crate::{
    Health,
    command::{Command, DynCommand},
    config::{Config, ConfigError, Loaded},
    metrics::Metrics,
};
use polywire_core::{
    Channel, Router, Service, ServiceInfo,
    access::AccessControl,
    layer::{InnerService, TowerService},
    policy::PolicyHandle,
    transport::net::Certificates,
};

/// Builds a node from services, schemas and a configuration.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// # async fn show() -> Result<(), polywire::NodeError> {
/// let node = polywire::Node::builder().service(DemoServer::new(Imp)).bind().await?;
/// println!("{:?}", node.targets());
/// node.serve(std::future::pending()).await?;
/// # Ok(()) }
/// ```
#[must_use = "a node starts with `bind`"]
pub struct NodeBuilder {
    config: Config,
    services: Vec<(&'static str, MakeService)>,
    layers: Vec<Around>,
    descriptor_sets: Vec<Bytes>,
    upstream: Option<Upstream>,
    components: Vec<MakeComponent>,
    commands: Vec<Arc<dyn DynCommand>>,
}

type MakeComponent = Box<dyn Fn(&Parts) -> Arc<dyn DynComponent> + Send + Sync>;
type MakeService = Box<dyn Fn(&Parts) -> Channel + Send + Sync>;
type Around = Box<dyn Fn(Channel) -> Channel + Send + Sync>;

/// The parts of a node, for services that report on it.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The node's configuration.
    pub config: Arc<Config>,
    /// The node's services, which may change while it runs.
    pub router: Router,
    /// The node's health.
    pub health: Health,
    /// The node's metrics.
    pub metrics: Metrics,
    /// The policies of the node's own calls: `transport.strategy` at first. They may change while the node runs.
    pub policies: PolicyHandle,
    /// Access to the methods: the rules of `access` at first. Services and components add credentials and members to it.
    pub access: Arc<AccessControl>,
    /// The transports that serve each service.
    pub exposure: Exposure,
    /// The added schemas: encoded and consistent `google.protobuf.FileDescriptorSet`s.
    pub descriptors: Arc<[Bytes]>,
    /// The certificates of the node's listeners.
    pub(crate) certificates: Certificates,
    pub(super) tokens: TokensSlot,
    /// The issuers of JSON Web Tokens.
    pub(crate) jwts: NodeJwts,
    /// Whether calls of services that the node does not have are forwarded.
    forwards: bool,
    pub(super) shared: SharedValues,
}

impl Parts {
    /// Checks that the rules of access name services and methods of the node. One that forwards calls has others too.
    pub(crate) fn check_access(&self, config: &Config) -> Result<(), ConfigError> {
        if self.forwards {
            return Ok(());
        }
        config.check_access(&self.router.services())
    }

    /// Warns of names in `transport.strategy` that nothing of the node has. One that forwards calls has others too.
    pub(crate) fn warn_of_names(&self, loaded: &Loaded) {
        if self.forwards {
            return;
        }
        for warning in loaded.unknown_names(&self.router.services()) {
            tracing::warn!("{warning}");
        }
    }

    /// The one value of this type that the node's services and components share, made by `Default` at the first call.
    ///
    /// Crates that do not know each other meet here: one puts something into a value of a type that both know, and the
    /// other reads it.
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// #[derive(Default)]
    /// struct Greeting(OnceLock<String>);
    ///
    /// fn polite(parts: &polywire::Parts) {
    ///     let _ = parts.shared::<Greeting>().0.set("good morning".to_owned());
    /// }
    /// ```
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.get()
    }
}

/// A service of a node and its transports.
#[derive(Clone, Debug)]
pub struct ServiceOverview {
    /// The service.
    pub info: ServiceInfo,
    /// The transports that serve it.
    pub transports: Vec<&'static str>,
}

impl NodeBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: Config::default(),
            services: Vec::new(),
            layers: Vec::new(),
            descriptor_sets: Vec::new(),
            upstream: None,
            components: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Adds everything that the extension brings.
    ///
    /// ```
    /// # use polywire::{Node, NodeBuilder};
    /// # fn inventory(node: NodeBuilder) -> NodeBuilder { node }
    /// let node = Node::builder().with(inventory);
    /// ```
    pub fn with(self, extension: impl NodeExtension) -> Self {
        extension.extend(self)
    }

    /// Sets the configuration. The default is dual mode on loopback.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a service. [`bind`](Self::bind) refuses a value that names no service, and a service that was already added.
    pub fn service<S: Service>(mut self, service: S) -> Self {
        let channel = Channel::new(service);
        self.services.push((type_name::<S>(), Box::new(move |_| channel.clone())));
        self
    }

    /// Adds a service that `make` creates from the node's parts.
    pub fn service_with<S: Service>(mut self, make: impl Fn(&Parts) -> S + Send + Sync + 'static) -> Self {
        self.services.push((type_name::<S>(), Box::new(move |parts| Channel::new(make(parts)))));
        self
    }

    /// Wraps all services on all transports in a tower layer, or one from [`layer::wrap`](polywire_core::layer::wrap). This
    /// includes health checks, reflection, calls between members of a cluster and calls forwarded to an
    /// [`upstream`](Self::upstream); a layer that refuses calls should let those through by `request.context.service()`.
    /// Calls pass layers in the order in which they were added.
    ///
    /// The node's metrics count refused calls. The HTTP side and calls within the process pass no layer.
    ///
    /// ```
    /// use polywire::Node;
    /// use tower::limit::GlobalConcurrencyLimitLayer;
    ///
    /// // A thousand calls at a time, over all transports.
    /// let node = Node::builder().layer(GlobalConcurrencyLimitLayer::new(1_000));
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower::Layer<InnerService, Service: TowerService> + Send + Sync + 'static,
    {
        self.layers.push(Box::new(move |inner| inner.layer(&layer)));
        self
    }

    /// Adds a component that `make` creates from the node's parts, and its services.
    pub fn component<C: Component>(mut self, make: impl Fn(&Parts) -> C + Send + Sync + 'static) -> Self {
        self.components.push(Box::new(move |parts| Arc::new(make(parts))));
        self
    }

    /// Adds a command to the binary that `#[polywire::main]` generates.
    pub fn command(mut self, command: impl Command) -> Self {
        self.commands.push(Arc::new(command));
        self
    }

    /// The added commands.
    pub(crate) fn commands(&self) -> &[Arc<dyn DynCommand>] {
        &self.commands
    }

    /// Forwards calls of services that the node does not have to this target. A node without its own services is a
    /// gateway.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Adds schemas: an encoded `google.protobuf.FileDescriptorSet`. Reflection serves them to clients, and `call` uses
    /// them to convert JSON.
    pub fn descriptors(mut self, file_descriptor_set: impl Into<Bytes>) -> Self {
        self.descriptor_sets.push(file_descriptor_set.into());
        self
    }

    /// The added schemas.
    pub fn descriptor_sets(&self) -> &[Bytes] {
        &self.descriptor_sets
    }

    /// The services of a node with this configuration, which is not started.
    ///
    /// # Errors
    /// If the added schemas or services are invalid, as for [`bind`](Self::bind).
    pub fn overview(&self, config: &Config) -> Result<Vec<ServiceOverview>, NodeError> {
        let (parts, _) = self.parts(config)?;
        let services = parts.router.services().into_iter();
        let overview = services.map(|info| ServiceOverview {
            info,
            transports: parts.exposure.transports(info.name()).collect(),
        });
        Ok(overview.collect())
    }

    /// Starts the node. When this returns, all transports listen and the first health checks have run.
    ///
    /// # Errors
    /// If the configuration or a schema is invalid, an added value names no service or a duplicate one, a schema differs
    /// from its trait, the data directory, the identity or a certificate is unusable, an address cannot be bound, or the
    /// upstream cannot be used. The node does not listen then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listeners that are already bound.
    pub async fn bind(self) -> Result<Node, NodeError> {
        self.config.check()?;
        let (parts, components) = self.parts(&self.config)?;
        parts.check_access(&self.config)?;
        let router = Channel::new(parts.router.clone());
        let service = self.layers.iter().rev().fold(router, |inner, around| around(inner));
        running::start(self.config, parts, service, components, self.upstream).await
    }

    fn parts(&self, config: &Config) -> Result<(Parts, Components), NodeError> {
        let schemas = self.schemas()?;
        let parts = Parts {
            config: Arc::new(config.clone()),
            router: Router::new(),
            health: Health::new(),
            metrics: Metrics::new(),
            policies: config.transport.strategy.policies().into(),
            access: Arc::new(AccessControl::new(config.access.rules())),
            exposure: transports::exposure(&config.transport),
            descriptors: self.descriptor_sets.clone().into(),
            certificates: Certificates::default(),
            tokens: TokensSlot::default(),
            jwts: NodeJwts::default(),
            forwards: self.upstream.is_some(),
            shared: SharedValues::default(),
        };
        let mut served = Served::in_router(&parts.router);
        for (added_by, make) in &self.services {
            served.add(added_by, make(&parts))?;
        }
        let components = Components(self.components.iter().map(|make| make(&parts)).collect());
        for (component, service) in components.services() {
            served.add(&format!("the component {component}"), service)?;
        }
        schema::check(&schemas, &parts.router.services())?;
        Ok((parts, components))
    }

    /// Decodes the added schemas and checks their consistency.
    fn schemas(&self) -> Result<DescriptorPool, NodeError> {
        let mut pool = DescriptorPool::new();
        for set in &self.descriptor_sets {
            let added = pool.decode_file_descriptor_set(set.clone());
            added.map_err(|error| NodeError::Descriptors(error.to_string()))?;
        }
        Ok(pool)
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder").field("services", &self.services.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
