use std::{fmt, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use tokio::task::{JoinError, JoinSet};

use super::{
    Identity, Listening, NodeBuilder, NodeError, NodeHandle, Parts, Targets, Upstream, access, certificates,
    component::Components, data_dir::DataDir, descriptors, http, kept_ports::KeptPorts, tokens,
    transports::Transports,
};
use crate::{Health, NodeState, config::Config};
use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::{Meter, Ports, panic},
    Channel, ChannelBuilder, ConnectOptions, Drain,
    transport::{
        BindContext, BindError,
        net::{Listener, ListenerOptions, reachable},
    },
};

/// A bound node. [`serve`](Self::serve) ends it in order; dropping it ends it at once.
pub struct Node {
    parts: Parts,
    targets: Targets,
    drain: Drain,
    drain_delay: Duration,
    drain_timeout: Duration,
    /// The tasks of the transports, each until it has drained.
    transports: JoinSet<Ended>,
    http: JoinSet<()>,
    http_drain: Drain,
    /// The tasks of the health checks and of the recent metrics.
    checks: JoinSet<()>,
    connect_options: ConnectOptions,
    components: Components,
    /// Closes the connection to the upstream. The lock is never contended; it only makes the node `Sync`.
    leave_upstream: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Node {
    /// Builds a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// The node's targets, as seen from this machine.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The node's parts. Its router may change while the node runs.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The options of the node's own calls. They use the node's bound endpoints where a transport supports that, as Iroh
    /// dials from the node's endpoint and with its id. The node's metrics count these calls and their connections.
    ///
    /// ```no_run
    /// # async fn show(node: polywire::Node, peer: polywire::Target) -> Result<(), polywire::Status> {
    /// let channel = peer.connect(node.connect_options()).await?;
    /// # Ok(()) }
    /// ```
    pub fn connect_options(&self) -> &ConnectOptions {
        &self.connect_options
    }

    /// Builds a channel to a peer. The channel chooses among the peer's targets by `transport.strategy` and calls with the
    /// node's identity.
    pub fn channel(&self) -> ChannelBuilder {
        Channel::builder().options(self.connect_options.clone()).policy(self.parts.policies.clone())
    }

    /// Serves until `shutdown` completes, then drains in the order that [`node`](crate::node) describes. Returns when the node
    /// has ended.
    ///
    /// # Errors
    /// If a transport ended by itself or panicked, or a component has [failed](Health::fail). The others have drained by then.
    ///
    /// # Cancel safety
    /// Dropping the future ends the node at once, without a drain.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), NodeError> {
        self.serve_until(shutdown, std::future::pending::<()>).await.map(drop)
    }

    /// As [`serve`](Self::serve). Each completion of `hurry` skips the current wait: the delay before listeners close, or
    /// the wait for calls in flight.
    pub(crate) async fn serve_until<F: Future<Output = ()>>(
        mut self,
        shutdown: impl Future<Output = ()>,
        hurry: impl Fn() -> F,
    ) -> Result<End, NodeError> {
        let health = self.parts.health.clone();
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            problem = health.failed() => Err(failed(problem)),
            Some(ended) = self.transports.join_next() => Err(premature(ended)),
        };
        let ended = self.drain(hurry).await;
        outcome.map(|()| ended)
    }

    async fn drain<F: Future<Output = ()>>(mut self, hurry: impl Fn() -> F) -> End {
        self.parts.health.set_state(NodeState::Draining);
        let mut ended = self.leave(&hurry).await;
        self.drain.stop();
        if ended == End::InTime {
            tokio::select! {
                in_time = all_ended(&mut self.transports, self.drain_timeout) => if !in_time {
                    tracing::warn!(after = ?self.drain_timeout, "the drain timed out; the node cuts calls in flight");
                },
                () = hurry() => ended = End::Hurried,
            }
        }
        let closing = self.close();
        tokio::select! {
            () = closing => {}
            () = hurry() => ended = End::Hurried,
        }
        ended
    }

    /// The phase before listeners close: components hand over, and load balancers notice that the node is not ready.
    async fn leave<F: Future<Output = ()>>(&self, hurry: impl Fn() -> F) -> End {
        let handing_over = async {
            if tokio::time::timeout(self.drain_timeout, self.components.drain()).await.is_err() {
                tracing::warn!(after = ?self.drain_timeout, "components did not hand over in time");
            }
        };
        let leaving = async { tokio::join!(tokio::time::sleep(self.drain_delay), handing_over) };
        tokio::select! {
            _ = leaving => End::InTime,
            // Without a delay no load balancer needs this phase.
            () = hurry() => if self.drain_delay.is_zero() { End::Hurried } else { End::InTime },
        }
    }

    /// Cuts the remaining calls and stops all tasks.
    async fn close(mut self) {
        self.drain.cut();
        all_ended(&mut self.transports, CLOSING).await;
        if let Some(leave) = self.leave_upstream.get_mut().take() {
            // Best effort.
            let _ = tokio::time::timeout(CLOSING, leave).await;
        }
        self.components.stop().await;
        self.http_drain.stop();
        all_ended(&mut self.http, CLOSING).await;
        self.checks.shutdown().await;
    }
}

/// The outcome of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Calls in flight finished or timed out.
    InTime,
    /// A request to hurry cut calls in flight.
    Hurried,
}

/// A transport whose task has ended.
#[derive(Debug)]
struct Ended {
    transport: &'static str,
    panicked: bool,
}

/// The timeout of closing cut connections, and of finishing responses on the HTTP side.
const CLOSING: Duration = Duration::from_secs(1);

/// Whether all tasks ended within this time.
async fn all_ended<T: 'static>(tasks: &mut JoinSet<T>, patience: Duration) -> bool {
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(patience, ended).await.is_ok()
}

fn failed(problem: String) -> NodeError {
    let error = NodeError::Failed { problem };
    tracing::error!(%error, "the node stops");
    error
}

fn premature(ended: Result<Ended, JoinError>) -> NodeError {
    let (transport, how) = match ended {
        Ok(Ended { transport, panicked: false }) => (transport, "ended by itself"),
        Ok(Ended { transport, panicked: true }) => (transport, "panicked"),
        // No other code has handles of these tasks.
        Err(_) => ("(unknown)", "was aborted"),
    };
    let error = NodeError::TransportEnded { transport, how };
    tracing::error!(%error, "the node stops");
    error
}

/// The upper bound of a check's timeout. With long intervals, `/readyz` must not report for minutes the state from before
/// the disk hung.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a node of this configuration, which answers calls with `service`. All transports are bound before any serves.
pub(super) async fn start(
    config: Config,
    parts: Parts,
    service: Channel,
    components: Components,
    upstream: Option<Upstream>,
) -> Result<Node, NodeError> {
    let issuers = config.issuers()?;
    let identity = Identity::load_or_create(&config.node.data_dir)?;
    tokens::open(&parts, &identity, upstream.is_some())?;
    parts.jwts.set(issuers);
    parts.jwts.add_to(&parts.access, upstream.is_some());
    // Calls of the node to itself go past the inbound edge, which counts all others.
    let own = Meter::server(service.clone(), Arc::new(parts.metrics.clone()));
    let context = BindContext::new(identity.secret_key().to_bytes(), own);
    let context = context.keeping(parts.certificates.clone()).trusting(config.cluster.ca.clone());
    let kept = KeptPorts::of(&config.node.data_dir);
    let ports = kept.load();
    let bound = Transports::bind(&config.transport, &context, &ports).await?;
    let mut targets = Targets { node_id: identity.id(), transports: bound.targets(), http: None };
    let http_listener = match bind_http(&config, &ports, &mut targets).await {
        Ok(listener) => listener,
        Err(error) => return Err(given_up(bound, error).await),
    };
    kept.store(&ports);
    Listening::of(&config.node.data_dir).store(&targets);
    let secret_key = identity.secret_key().to_bytes();
    // Before the first await: bound transports are not `Sync`.
    let (connect_options, upstream) = {
        let complete = |options: ConnectOptions| {
            bound.connect_options(options.secret_key(secret_key).metrics(parts.metrics.clone()))
        };
        let completed = upstream.map(|upstream| (complete(upstream.options().clone()), upstream));
        (complete(ConnectOptions::new()), completed)
    };
    let leave_upstream = match upstream {
        None => None,
        Some((options, upstream)) => match upstream.attach(&parts, &targets, options).await {
            Ok(leave) => Some(leave),
            Err(error) => return Err(given_up(bound, error).await),
        },
    };

    let handle = NodeHandle {
        parts: parts.clone(),
        targets: targets.clone(),
        live: bound.live_targets().into(),
        alpns: bound.alpns().into(),
        connect_options: match config.cluster.ca.clone() {
            Some(file) => connect_options.clone().ca_file(file),
            None => connect_options.clone(),
        },
    };
    if let Err((component, source)) = components.start(&handle).await {
        return Err(given_up(bound, NodeError::Component { component, source }).await);
    }

    // The usual process metrics, on Linux only.
    #[cfg(target_os = "linux")]
    if let Err(error) = parts.metrics.add_collector(Box::new(ProcessCollector::for_self())) {
        tracing::warn!(%error, "no metrics of the process");
    }
    // All descriptors except those of connections are open now.
    let descriptors = descriptors::of_process();
    tracing::debug!(connections = descriptors.free(), "the free descriptors limit the number of connections");
    let (drain, http_drain) = (Drain::new(), Drain::new());
    let (mut transports, mut http, mut checks) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    if let Some(listener) = http_listener {
        let routes = http::routes(parts.metrics.clone(), parts.health.clone());
        let default = ListenerOptions::default();
        let max_connections = default.max_connections.min(descriptors.for_probes());
        let options = ListenerOptions { max_connections, ..default };
        http.spawn(listener.serve_http1(options, routes, http_drain.clone()));
    }
    checks.spawn(parts.metrics.clone().keep_recent());
    watch_certificates(&parts, &mut checks);
    tokens::watch(&parts, &mut checks);
    parts.jwts.watch(&parts.health, &mut checks);
    watch_health(&config, &parts.health, &mut checks).await;
    access::announce_start(&parts.access, &config.transport);
    for (name, serving) in bound.serve(&parts, &service, &drain, &descriptors) {
        transports.spawn(async move {
            let ended = panic::caught(serving).await;
            let panicked = ended.inspect_err(|panic| panic.say(name)).is_err();
            Ended { transport: name, panicked }
        });
    }
    parts.health.set_state(NodeState::Serving);
    Ok(Node {
        parts,
        targets,
        drain,
        drain_delay: config.node.drain_delay.0,
        drain_timeout: config.node.drain_timeout,
        transports,
        http,
        http_drain,
        checks,
        connect_options,
        components,
        leave_upstream: Mutex::new(leave_upstream),
    })
}

/// Closes the bound transports and returns the error.
async fn given_up(bound: Transports, error: NodeError) -> NodeError {
    bound.close().await;
    error
}

async fn bind_http(
    config: &Config,
    ports: &Ports,
    targets: &mut Targets,
) -> Result<Option<Listener>, NodeError> {
    if !config.http.enabled {
        return Ok(None);
    }
    let address = config.http.bind_address;
    let refused = |source| NodeError::Http(BindError::listen("http.bind_address", address, source));
    let listener = ports.bind("http", address, Listener::bind_at).await.map_err(refused)?;
    targets.http = Some(format!("http://{}", reachable(listener.local_addr().map_err(refused)?)));
    Ok(Some(listener))
}

fn watch_certificates(parts: &Parts, checks: &mut JoinSet<()>) {
    certificates::watch(&parts.certificates, &parts.health, checks);
    let collector = certificates::collector(&parts.certificates);
    let added =
        collector.and_then(|collector| collector.map_or(Ok(()), |own| parts.metrics.add_collector(own)));
    if let Err(error) = added {
        tracing::warn!(%error, "no metrics of certificates");
    }
}

/// Runs the checks now, and then periodically.
async fn watch_health(config: &Config, health: &Health, checks: &mut JoinSet<()>) {
    let data_dir = DataDir::new(config.node.data_dir.clone(), config.health.min_free_bytes);
    health.register("data directory", move || data_dir.clone().check());
    let interval = config.health.check_interval;
    let patience = interval.min(CHECK_TIMEOUT);
    health.run_checks(patience).await;
    let health = health.clone();
    checks.spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            health.run_checks(patience).await;
        }
    });
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("targets", &self.targets).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
