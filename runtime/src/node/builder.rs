use std::{any::type_name, fmt, sync::Arc};

use bytes::Bytes;
use prost_reflect::DescriptorPool;

use super::{
    Component, Exposure, Node, NodeError, Upstream,
    component::{Components, DynComponent},
    running, schema,
    served::Served,
    transports,
};
use crate::{
    Channel, Health, Router, Service, ServiceInfo,
    cli::{Command, DynCommand},
    config::Config,
    layer::{Inner, TowerService},
    metrics::Metrics,
    net::Certificates,
    policy::PolicyHandle,
};

/// A node that is being put together: services, schemas, configuration.
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
#[must_use = "a node starts when it is bound"]
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

/// What a node is made of, for services that report on it.
#[derive(Clone, Debug)]
pub struct Parts {
    /// How the node is set up.
    pub config: Arc<Config>,
    /// Every service of the node; may be added to and removed from while it runs.
    pub router: Router,
    /// How the node is.
    pub health: Health,
    /// What the node counts.
    pub metrics: Metrics,
    /// How the calls that the node itself makes choose their transport; `transport.strategy` at first, and it may be
    /// changed while the node runs.
    pub policies: PolicyHandle,
    /// Which transports serve each service.
    pub exposure: Exposure,
    /// The schemas that were added: encoded `google.protobuf.FileDescriptorSet`s that fit together.
    pub descriptors: Arc<[Bytes]>,
    /// What the node's listeners show.
    pub(crate) certificates: Certificates,
}

/// One line of what a node serves.
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

    /// Sets the configuration; without it, the node has the defaults: dual mode on loopback.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Serves this. What names no service, or one that the node has already, is refused when the node is bound.
    pub fn service<S: Service>(mut self, service: S) -> Self {
        let channel = service.into_channel();
        self.services.push((type_name::<S>(), Box::new(move |_| channel.clone())));
        self
    }

    /// Serves what `make` makes once the node's parts are there.
    pub fn service_with<S: Service>(mut self, make: impl Fn(&Parts) -> S + Send + Sync + 'static) -> Self {
        self.services.push((type_name::<S>(), Box::new(move |parts| make(parts).into_channel())));
        self
    }

    /// Puts a tower layer, or one that is made by [`layer::wrap`](crate::layer::wrap), around everything that the node
    /// serves, over every transport: health checks, reflection, what members of a cluster say to each other and what is
    /// passed on to an [`upstream`](Self::upstream) too. A layer that refuses calls lets those through by
    /// `request.context.service()`. Of several a call meets the one that was added first first.
    ///
    /// The node's metrics count what a layer refuses. The HTTP side, and calls within the process, meet no layer.
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
        L: tower::Layer<Inner, Service: TowerService> + Send + Sync + 'static,
    {
        self.layers.push(Box::new(move |inner| inner.layer(&layer).into_channel()));
        self
    }

    /// Adds what `make` makes once the node's parts are there, with its services.
    pub fn component<C: Component>(mut self, make: impl Fn(&Parts) -> C + Send + Sync + 'static) -> Self {
        self.components.push(Box::new(move |parts| Arc::new(make(parts))));
        self
    }

    /// Adds a command to the binary that `#[polywire::main]` makes of this node.
    pub fn command(mut self, command: impl Command) -> Self {
        self.commands.push(Arc::new(command));
        self
    }

    /// The commands that were added.
    pub(crate) fn commands(&self) -> &[Arc<dyn DynCommand>] {
        &self.commands
    }

    /// Passes calls that no service of the node answers on to this target. A node without any service of its own
    /// is a gateway.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Adds schemas, an encoded `google.protobuf.FileDescriptorSet`: reflection tells them to clients, and
    /// `call` reads and prints JSON by them.
    pub fn descriptors(mut self, file_descriptor_set: impl Into<Bytes>) -> Self {
        self.descriptor_sets.push(file_descriptor_set.into());
        self
    }

    /// The schemas that were added.
    pub fn descriptor_sets(&self) -> &[Bytes] {
        &self.descriptor_sets
    }

    /// What a node of this configuration would serve, without starting it.
    ///
    /// # Errors
    /// When the schemas or the services that were added cannot be used, as [`bind`](Self::bind) says.
    pub fn overview(&self, config: &Config) -> Result<Vec<ServiceOverview>, NodeError> {
        let (parts, _) = self.parts(config)?;
        let services = parts.router.services().into_iter();
        let overview = services.map(|info| ServiceOverview {
            info,
            transports: parts.exposure.transports(info.name()).collect(),
        });
        Ok(overview.collect())
    }

    /// Starts the node: when this returns, everything listens and the first health checks have run.
    ///
    /// # Errors
    /// When the configuration or the schemas are wrong, when what was added names no service or one that is there already,
    /// when a schema says something else of a service than its trait, when the data directory, the identity or
    /// a certificate cannot be used, when an address cannot be listened on, or when calls cannot be passed on to
    /// the target that was given. Nothing listens then.
    ///
    /// # Cancel safety
    /// Dropping the future releases what was bound so far; nothing has been served then.
    pub async fn bind(self) -> Result<Node, NodeError> {
        self.config.check()?;
        let (parts, components) = self.parts(&self.config)?;
        let router = parts.router.clone().into_channel();
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
            exposure: transports::exposure(&config.transport),
            descriptors: self.descriptor_sets.clone().into(),
            certificates: Certificates::default(),
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

    /// The schemas that were added. Those that read them later may take it that they fit together.
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
