#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
use std::path::Path;
use std::{fmt, future::Future, net::SocketAddr, path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;

#[cfg(feature = "tls")]
use super::net::Certificates;
use super::{ConnectOptions, Descriptors, Ports};
use crate::{
    Authorize, Channel, Drain,
    observer::{ConnectionGauge, Observer},
};

/// What a transport may want to know of the node that it is bound for.
#[derive(Clone)]
pub struct BindContext {
    secret_key: [u8; 32],
    service: Channel,
    #[cfg(feature = "tls")]
    certificates: Certificates,
    cluster_ca: Option<PathBuf>,
    /// The name of the transport, and the ports of the node.
    ports: Option<(&'static str, Ports)>,
}

impl BindContext {
    /// For a node with this key and these services.
    pub fn new(secret_key: [u8; 32], service: impl crate::Service) -> Self {
        Self {
            secret_key,
            service: Channel::new(service),
            #[cfg(feature = "tls")]
            certificates: Certificates::default(),
            cluster_ca: None,
            ports: None,
        }
    }

    /// The same for the transport of this name, of a node that has these ports.
    #[doc(hidden)]
    #[must_use]
    pub fn of(&self, transport: &'static str, ports: &Ports) -> Self {
        Self { ports: Some((transport, ports.clone())), ..self.clone() }
    }

    /// Binds to this address of the configuration. Where its port is 0, which leaves it to the system, the port that the
    /// transport had when the node ran last is tried first: peers know the node by it. `bind` says where it has bound.
    ///
    /// # Errors
    /// Those of `bind`.
    ///
    /// # Cancel safety
    /// As the future of `bind`, whose socket is closed unless it was returned.
    pub async fn bind<T, E, F>(&self, configured: SocketAddr, bind: impl Fn(SocketAddr) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<(T, SocketAddr), E>>,
        E: fmt::Display,
    {
        match &self.ports {
            Some((transport, ports)) => ports.bind(transport, configured, bind).await,
            None => Ok(bind(configured).await?.0),
        }
    }

    /// The node's Ed25519 secret key, which is its identity.
    pub fn secret_key(&self) -> &[u8; 32] {
        &self.secret_key
    }

    /// What keeps the certificates of listeners up to date.
    #[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The same, with certificates that this keeps.
    #[doc(hidden)]
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn keeping(mut self, certificates: Certificates) -> Self {
        self.certificates = certificates;
        self
    }

    /// The file of the authorities that sign the certificates of the cluster's members.
    #[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
    pub(crate) fn cluster_ca(&self) -> Option<&Path> {
        self.cluster_ca.as_deref()
    }

    /// The same, in a cluster whose members' certificates the authorities in this file sign.
    #[doc(hidden)]
    #[must_use]
    pub fn trusting(mut self, cluster_ca: Option<PathBuf>) -> Self {
        self.cluster_ca = cluster_ca;
        self
    }

    /// The node's services, for calls that turn out to be to the node itself.
    pub fn service(&self) -> &Channel {
        &self.service
    }
}

impl fmt::Debug for BindContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindContext").finish_non_exhaustive()
    }
}

/// Tells where a transport is reached now: a target.
pub type LiveTarget = Arc<dyn Fn() -> String + Send + Sync>;

/// A transport that has been bound and does not serve yet. Dropped, it closes what it has bound.
pub trait Bound: Send + 'static {
    /// Where it is reached from this machine: a target.
    fn target(&self) -> String;

    /// Tells where it is reached now, also while it serves: addresses come and go with the networks of a machine.
    /// What [`target`](Self::target) says, unless the transport knows better.
    fn live_target(&self) -> LiveTarget {
        let target = self.target();
        Arc::new(move || target.clone())
    }

    /// The protocols of which a connection may name one ([ALPN](https://www.rfc-editor.org/rfc/rfc7301)): a name of the
    /// form of an [`AlpnName`](crate::AlpnName) leads to the service that it stands for, any other to all of them. None
    /// where the transport does without.
    fn alpns(&self) -> Vec<String> {
        Vec::new()
    }

    /// The options for calls that the node itself makes over this transport: a transport that dials from what
    /// it has bound puts that [into them](ConnectOptions::with).
    fn connect_options(&self, options: ConnectOptions) -> ConnectOptions {
        options
    }

    /// Serves until the drain is over, and then closes what it has bound. From [`Drain::stopping`] on, new
    /// connections and calls are refused as not processed and calls in flight go on; [`Drain::cutting`] ends
    /// what is left.
    ///
    /// # Cancel safety
    /// Dropping the future ends everything at once.
    fn serve(self, serving: Serving) -> impl Future<Output = ()> + Send + 'static;

    /// Closes what it has bound, where the node cannot serve after all. Drops it, unless the transport has something
    /// to wait for.
    ///
    /// # Cancel safety
    /// Dropping the future closes it at once.
    fn close(self) -> impl Future<Output = ()> + Send + 'static
    where
        Self: Sized,
    {
        drop(self);
        std::future::ready(())
    }
}

/// The health checks of what serves, for those that a transport can make of itself; the health of a node implements it.
pub trait Checks: Send + Sync + 'static {
    /// Adds a check of this component: it returns what is wrong, for people.
    fn register(&self, component: String, check: Check);
}

/// Starts a health check.
pub type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a transport serves with.
#[derive(Clone)]
#[non_exhaustive]
pub struct Serving {
    /// Answers the calls.
    pub service: Channel,
    /// Says when to stop.
    pub drain: Drain,
    /// Told of every connection that opens and closes.
    pub connections: Option<Arc<dyn ConnectionGauge>>,
    /// Takes the [health checks](Checks::register) that this transport can make of itself.
    pub checks: Option<Arc<dyn Checks>>,
    /// Told of calls, and of [what](Observer::collect) this transport measures itself.
    pub observer: Option<Arc<dyn Observer>>,
    /// Decides who may call what; without it, every caller may call every method.
    pub access: Option<Arc<dyn Authorize>>,
    /// What connections share that take a descriptor each; without, they take what they want.
    pub(crate) descriptors: Option<Descriptors>,
}

impl Serving {
    /// Serves this until `drain` is over, and counts nothing.
    pub fn new(service: impl crate::Service, drain: Drain) -> Self {
        Self {
            service: Channel::new(service),
            drain,
            connections: None,
            checks: None,
            observer: None,
            access: None,
            descriptors: None,
        }
    }

    /// The same, with connections counted.
    #[must_use]
    pub fn connections(mut self, gauge: Arc<dyn ConnectionGauge>) -> Self {
        self.connections = Some(gauge);
        self
    }

    /// The same, told to this observer.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The same, with access control.
    #[must_use]
    pub fn access(mut self, access: Arc<dyn Authorize>) -> Self {
        self.access = Some(access);
        self
    }

    /// The same, whose connections take no more descriptors than there are of these.
    #[doc(hidden)]
    #[must_use]
    pub fn within(mut self, descriptors: Descriptors) -> Self {
        self.descriptors = Some(descriptors);
        self
    }

    /// The same, with health checks.
    #[must_use]
    pub fn checks(mut self, checks: Arc<dyn Checks>) -> Self {
        self.checks = Some(checks);
        self
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("phase", &self.drain.phase()).finish_non_exhaustive()
    }
}
