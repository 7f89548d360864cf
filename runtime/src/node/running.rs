use std::{
    fmt,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use tokio::task::{JoinError, JoinSet};

use super::{
    Identity, NodeBuilder, NodeError, NodeHandle, Parts, Targets, Upstream, component::Components,
    data_dir::DataDir, http, kept_ports::KeptPorts, transports::Transports,
};
use crate::{
    Channel, ChannelBuilder, ConnectOptions, Drain, Health, NodeState, Service,
    config::Config,
    metrics::Meter,
    net::{Listener, ListenerOptions, reachable},
    panic,
    service::BoxFuture,
    transport::{BindContext, BindError, Descriptors, seam::Ports},
};

/// A node that serves. Dropping it ends everything at once; [`serve`](Self::serve) ends it well.
pub struct Node {
    parts: Parts,
    targets: Targets,
    drain: Drain,
    drain_delay: Duration,
    drain_timeout: Duration,
    /// The transports, each until it has drained.
    transports: JoinSet<Ended>,
    http: JoinSet<()>,
    http_drain: Drain,
    /// Runs the checks, and keeps what was counted lately, for as long as the node is there.
    checks: JoinSet<()>,
    connect_options: ConnectOptions,
    components: Components,
    /// Leaves the target of calls that are passed on.
    /// Behind a lock that nobody takes, so that a node can be shared.
    leave_upstream: Mutex<Option<BoxFuture<()>>>,
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

    /// The options for calls that the node itself makes: a transport that dials from what it has bound, as
    /// Iroh does from the node's endpoint and under its id, has put that into them. The node's metrics count these
    /// calls, and the connections made for them.
    ///
    /// ```no_run
    /// # async fn show(node: polywire::Node, peer: polywire::Target) -> Result<(), polywire::Status> {
    /// let channel = peer.connect(node.connect_options()).await?;
    /// # Ok(()) }
    /// ```
    pub fn connect_options(&self) -> &ConnectOptions {
        &self.connect_options
    }

    /// A channel to a peer of the node, being put together: it chooses among the peer's targets as `transport.strategy` says,
    /// and calls under the node's identity.
    pub fn channel(&self) -> ChannelBuilder {
        Channel::builder().options(self.connect_options.clone()).policy(self.parts.policies.clone())
    }

    /// Serves until `shutdown` completes, and then drains in the order that the module describes. Returns
    /// when everything has ended.
    ///
    /// # Errors
    /// When a transport ended by itself or panicked. The others have been drained then.
    ///
    /// # Cancel safety
    /// Dropping the future ends everything at once, without a drain: calls in flight are cut.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), NodeError> {
        self.serve_until(shutdown, std::future::pending::<()>).await.map(drop)
    }

    /// As [`serve`](Self::serve); where `hurry` completes, once for each time that it does, what is waited for then is
    /// waited for no longer: the delay before listeners close, or else the calls in flight.
    pub(crate) async fn serve_until<F: Future<Output = ()>>(
        mut self,
        shutdown: impl Future<Output = ()>,
        hurry: impl Fn() -> F,
    ) -> Result<End, NodeError> {
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
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
                    tracing::warn!(after = ?self.drain_timeout, "calls in flight are cut");
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

    /// What comes before listeners close: components hand over, and balancers that have seen that the node is not ready
    /// send their calls elsewhere.
    async fn leave<F: Future<Output = ()>>(&self, hurry: impl Fn() -> F) -> End {
        let handing_over = async {
            if tokio::time::timeout(self.drain_timeout, self.components.drain()).await.is_err() {
                tracing::warn!(after = ?self.drain_timeout, "components have not handed over in time");
            }
        };
        let leaving = async { tokio::join!(tokio::time::sleep(self.drain_delay), handing_over) };
        tokio::select! {
            _ = leaving => End::InTime,
            // Without a delay there is nothing that a balancer should see.
            () = hurry() => if self.drain_delay.is_zero() { End::Hurried } else { End::InTime },
        }
    }

    /// Ends what is left.
    async fn close(mut self) {
        self.drain.cut();
        all_ended(&mut self.transports, CLOSING).await;
        if let Some(leave) = self.leave_upstream.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // The target is told as far as it can be.
            let _ = tokio::time::timeout(CLOSING, leave).await;
        }
        self.components.stop().await;
        self.http_drain.stop();
        all_ended(&mut self.http, CLOSING).await;
        self.checks.shutdown().await;
    }
}

/// How a node's drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Calls in flight have finished, or had the time to.
    InTime,
    /// They were cut before, as was asked for.
    Hurried,
}

/// A transport that no longer serves.
#[derive(Debug)]
struct Ended {
    transport: &'static str,
    panicked: bool,
}

/// How long what has been cut may take to be gone, and an answer on the HTTP side to be finished.
const CLOSING: Duration = Duration::from_secs(1);

/// Whether all of them ended within this time.
async fn all_ended<T: 'static>(tasks: &mut JoinSet<T>, patience: Duration) -> bool {
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(patience, ended).await.is_ok()
}

fn premature(ended: Result<Ended, JoinError>) -> NodeError {
    let (transport, how) = match ended {
        Ok(Ended { transport, panicked: false }) => (transport, "ended by itself"),
        Ok(Ended { transport, panicked: true }) => (transport, "panicked"),
        // Nobody else has the handles of these tasks.
        Err(_) => ("(unknown)", "was aborted"),
    };
    let error = NodeError::TransportEnded { transport, how };
    tracing::error!(%error, "the node stops");
    error
}

/// How long a check may take, where the interval between them is longer: nobody who asks for `/readyz` should
/// be told for minutes what was true before the disk began to hang.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts what the configuration asks for. Everything is bound before anything serves. `service` is what answers calls.
pub(super) async fn start(
    config: Config,
    parts: Parts,
    service: Channel,
    components: Components,
    upstream: Option<Upstream>,
) -> Result<Node, NodeError> {
    let identity = Identity::load_or_create(&config.node.data_dir)?;
    let service = Meter::server(service, parts.metrics.clone()).into_channel();
    let context = BindContext::new(identity.secret_key().to_bytes(), service.clone());
    let context = context.keeping(parts.certificates.clone());
    let kept = KeptPorts::of(&config.node.data_dir);
    let ports = kept.load();
    let bound = Transports::bind(&config.transport, &context, &ports).await?;
    let mut targets = Targets { node_id: identity.id(), transports: bound.targets(), http: None };
    let http_listener = match bind_http(&config, &ports, &mut targets).await {
        Ok(listener) => listener,
        Err(error) => return Err(given_up(bound, error).await),
    };
    kept.store(&ports);
    let secret_key = identity.secret_key().to_bytes();
    // Before anything is waited for: what is bound is not for several tasks.
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
        connect_options: connect_options.clone(),
    };
    if let Err((component, source)) = components.start(&handle).await {
        return Err(given_up(bound, NodeError::Component { component, source }).await);
    }

    // What every exporter says of its process, where the system can be asked.
    #[cfg(target_os = "linux")]
    if let Err(error) = parts.metrics.add_collector(Box::new(ProcessCollector::for_self())) {
        tracing::warn!(%error, "the metrics of the process cannot be shown");
    }
    // Everything is open now but connections.
    let descriptors = Descriptors::of_process();
    tracing::debug!(connections = descriptors.free(), "descriptors are left for so many connections");
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
    watch_health(&config, &parts.health, &mut checks).await;
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

/// The error, once what was bound is closed.
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
    parts.certificates.watch(&parts.health, checks);
    let collector = parts.certificates.collector();
    let added =
        collector.and_then(|collector| collector.map_or(Ok(()), |own| parts.metrics.add_collector(own)));
    if let Err(error) = added {
        tracing::warn!(%error, "the metrics of certificates cannot be shown");
    }
}

/// Runs the checks now, and then again and again.
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
