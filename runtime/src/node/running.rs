use std::{fmt, future::Future, time::Duration};

use tokio::task::JoinSet;

use super::{
    Identity, NodeBuilder, NodeError, Parts, Targets, data_dir, http, meter::Meter, targets::reachable,
    transports::Transports,
};
use crate::{
    Drain, Health, NodeState, Service,
    config::Config,
    net::{Listener, ListenerOptions},
};

/// A node that serves. Dropping it ends everything at once; [`serve`](Self::serve) ends it well.
pub struct Node {
    parts: Parts,
    targets: Targets,
    drain: Drain,
    drain_timeout: Duration,
    /// The transports, each until it has drained.
    transports: JoinSet<()>,
    /// What goes on until the node is gone: the HTTP side and the health checks.
    background: JoinSet<()>,
    http_drain: Drain,
    #[cfg(feature = "iroh")]
    dialer: Option<crate::iroh::Dialer>,
}

impl Node {
    /// A node without services, to be put together.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// Where the node is reached from this machine.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// What the node is made of: its router may be added to while it runs.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What dials peers over the node's own endpoint, under its own id; `None` without Iroh.
    #[cfg(feature = "iroh")]
    pub fn dialer(&self) -> Option<&crate::iroh::Dialer> {
        self.dialer.as_ref()
    }

    /// Serves until `shutdown` completes, and then drains in the order that the module describes. Returns
    /// when everything has ended.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.parts.health.set_state(NodeState::Draining);
        self.drain.stop();
        let drained = async { while self.transports.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain_timeout, drained).await.is_err() {
            tracing::warn!(after = ?self.drain_timeout, "calls in flight are cut");
            self.drain.cut();
            let cut = async { while self.transports.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(CLOSING, cut).await;
        }
        self.http_drain.stop();
        self.background.shutdown().await;
    }
}

/// How long what has been cut may take to be gone.
const CLOSING: Duration = Duration::from_secs(1);

/// Starts what the configuration asks for. Everything is bound before anything serves.
pub(super) async fn start(config: Config, parts: Parts) -> Result<Node, NodeError> {
    let identity = Identity::load_or_create(&config.node.data_dir)?;
    let service = Meter::new(parts.router.clone(), parts.metrics.clone()).into_channel();
    let bound = Transports::bind(&config.transport, &identity, &service).await?;
    let mut targets = Targets { node_id: identity.id(), ..Targets::default() };
    let http = bind_http(&config, &mut targets).await?;

    let (drain, http_drain) = (Drain::new(), Drain::new());
    let (mut transports, mut background) = (JoinSet::new(), JoinSet::new());
    for transport in bound.bound {
        targets.set(transport.name(), transport.target());
        transports.spawn(transport.serve(&parts, service.clone(), drain.clone()));
    }
    if let Some(listener) = http {
        let routes = http::routes(parts.metrics.clone(), parts.health.clone());
        background.spawn(listener.serve_http1(ListenerOptions::default(), routes, http_drain.clone()));
    }
    watch_health(&config, &parts.health, &mut background).await;
    parts.health.set_state(NodeState::Serving);
    Ok(Node {
        parts,
        targets,
        drain,
        drain_timeout: config.node.drain_timeout,
        transports,
        background,
        http_drain,
        #[cfg(feature = "iroh")]
        dialer: bound.dialer,
    })
}

async fn bind_http(config: &Config, targets: &mut Targets) -> Result<Option<Listener>, NodeError> {
    if !config.http.enabled {
        return Ok(None);
    }
    let address = config.http.bind_address;
    let refused = |source| NodeError::Bind { key: "http.bind_address", address, source };
    let listener = Listener::bind(address).await.map_err(refused)?;
    targets.http = Some(format!("http://{}", reachable(listener.local_addr().map_err(refused)?)));
    Ok(Some(listener))
}

/// Runs the checks now, and then again and again.
async fn watch_health(config: &Config, health: &Health, background: &mut JoinSet<()>) {
    let (data_dir, min_free_bytes) = (config.node.data_dir.clone(), config.health.min_free_bytes);
    health.register("data directory", move || data_dir::check(data_dir.clone(), min_free_bytes));
    let interval = config.health.check_interval;
    health.run_checks(interval).await;
    let health = health.clone();
    background.spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            health.run_checks(interval).await;
        }
    });
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("targets", &self.targets).finish_non_exhaustive()
    }
}
