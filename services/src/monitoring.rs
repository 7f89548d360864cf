//! A node's metrics, its machine, and how its peers are reached.

use std::{
    ops::RangeInclusive,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::stream;
use polywire::{
    Health, Parts, Router, Service as _, Shape, Status, Streaming,
    config::Transport,
    metrics::{Format, Metrics, RecentCalls, Side},
};
use polywire_proto::monitoring::v1;
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior},
};

use crate::{
    cluster_health::Findings, draining::draining, machine::Machine, node_context::NodeContext,
    reachability::Reachability,
};

/// Reports what a node measures.
#[polywire::service(package = "polywire.monitoring.v1", access = "operator")]
pub trait Monitoring {
    /// The metrics: the same text as `/metrics`.
    #[rpc(idempotent)]
    async fn get_metrics(&self, request: v1::GetMetricsRequest) -> Result<v1::GetMetricsResponse, Status>;

    /// The machine and the process. Processor shares cover the time since the last reading, or a fifth of a second at
    /// the first.
    #[rpc(idempotent)]
    async fn get_system_info(&self, request: v1::GetSystemInfoRequest) -> Result<v1::SystemInfo, Status>;

    /// How the other members of the cluster are reached from this node: each is called over every transport that it has
    /// an address for, which takes a second where one does not answer. A node without a cluster has no peers.
    #[rpc(idempotent)]
    async fn get_cluster_health(
        &self,
        request: v1::GetClusterHealthRequest,
    ) -> Result<v1::ClusterHealth, Status>;

    /// Streams the vital signs at an interval. Ends when the node drains.
    #[rpc(idempotent)]
    async fn watch_vitals(&self, request: v1::WatchVitalsRequest) -> Result<Streaming<v1::Vitals>, Status>;

    /// The calls that ended recently, for each transport: calls that the node answered and calls that it made.
    #[rpc(idempotent)]
    async fn get_traffic(&self, request: v1::GetTrafficRequest) -> Result<v1::GetTrafficResponse, Status>;
}

/// The interval between two readings that a request may name, in milliseconds. A shorter one would be a load; for a
/// longer one, single calls do.
const INTERVAL: RangeInclusive<u64> = 100..=3_600_000;

/// The default interval between two readings, in milliseconds.
const USUAL: u64 = 1_000;

/// The window of recent calls that a request may name, in milliseconds, and the default of a minute.
const WINDOW: RangeInclusive<u64> = 1_000..=300_000;
const USUAL_WINDOW: u64 = 60_000;

/// The measurements of this node.
#[derive(Clone, Debug)]
pub struct NodeMonitoring {
    metrics: Metrics,
    router: Router,
    health: Health,
    context: Arc<NodeContext>,
    data_dir: PathBuf,
    transports: Transport,
    reachability: Reachability,
    /// Made at the first request.
    machine: Arc<Mutex<Option<Machine>>>,
}

impl NodeMonitoring {
    /// Reports on the node of these parts, and on its cluster, where it has one.
    pub fn new(parts: &Parts) -> Self {
        Self {
            metrics: parts.metrics.clone(),
            router: parts.router.clone(),
            health: parts.health.clone(),
            context: NodeContext::of(parts),
            data_dir: parts.config.node.data_dir.clone(),
            transports: parts.config.transport.clone(),
            reachability: Reachability::default(),
            machine: Arc::default(),
        }
    }

    /// Reads the machine on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Machine) -> Result<T, sysinfo::Error> + Send + 'static,
    ) -> Result<T, Status> {
        let mut machine = self.machine.clone().lock_owned().await;
        let reading = spawn_blocking(move || {
            if machine.is_none() {
                *machine = Some(Machine::new()?);
            }
            machine.as_mut().map(read).transpose()
        });
        let failed = |error: String| Status::internal(format!("system information is unavailable: {error}"));
        let outcome = reading.await.map_err(|error| failed(error.to_string()))?;
        let outcome = outcome.map_err(|error| failed(error.to_string()))?;
        outcome.ok_or_else(|| failed("no reading".to_owned()))
    }

    async fn vitals(&self) -> Result<v1::Vitals, Status> {
        let (process, cpu_percent, memory_used_bytes) = self
            .read(|machine| Ok((machine.process(), machine.cpu_percent(), machine.memory_used())))
            .await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(v1::Vitals {
            unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            process: Some(process),
            cpu_percent,
            memory_used_bytes,
            calls_in_flight: self.metrics.sum("polywire_server_calls_in_flight"),
            connections: self.metrics.sum("polywire_connections"),
        })
    }
}

impl Monitoring for NodeMonitoring {
    async fn get_metrics(&self, _: v1::GetMetricsRequest) -> Result<v1::GetMetricsResponse, Status> {
        Ok(v1::GetMetricsResponse { text: self.metrics.render(Format::Text) })
    }

    async fn get_system_info(&self, _: v1::GetSystemInfoRequest) -> Result<v1::SystemInfo, Status> {
        let data_dir = self.data_dir.clone();
        self.read(move |machine| machine.info(&data_dir)).await
    }

    async fn get_cluster_health(&self, _: v1::GetClusterHealthRequest) -> Result<v1::ClusterHealth, Status> {
        let own = &self.health.report();
        let serves = &|transport: &str| self.transports.serves(transport);
        let Some(membership) = self.context.membership() else {
            return Ok(
                Findings { own, leads: false, members: &[], calls: &[], probes: &[], serves }.verdict()
            );
        };
        let view = membership.view()?;
        let probes = self.reachability.ask(&view.connect_options, &view.others).await;
        let calls = &membership.peer_reports();
        let findings =
            Findings { own, leads: view.leads, members: &view.others, calls, probes: &probes, serves };
        Ok(findings.verdict())
    }

    async fn watch_vitals(&self, request: v1::WatchVitalsRequest) -> Result<Streaming<v1::Vitals>, Status> {
        let milliseconds = milliseconds("an interval", request.interval_ms, USUAL, INTERVAL)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(milliseconds));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let watch = VitalsWatch { monitoring: self.clone(), ticks };
        Ok(Streaming::new(stream::try_unfold(watch, |mut watch| async move {
            tokio::select! {
                _ = watch.ticks.tick() => {}
                () = draining(&watch.monitoring.health) => return Ok(None),
            }
            Ok(Some((watch.monitoring.vitals().await?, watch)))
        })))
    }

    async fn get_traffic(&self, request: v1::GetTrafficRequest) -> Result<v1::GetTrafficResponse, Status> {
        let window = milliseconds("a window", request.window_ms, USUAL_WINDOW, WINDOW)?;
        let recent = self.metrics.recent(Duration::from_millis(window));
        Ok(v1::GetTrafficResponse {
            window_ms: u64::try_from(recent.window.as_millis()).unwrap_or(u64::MAX),
            bounds: RecentCalls::bounds().to_vec(),
            methods: recent.calls.iter().map(|calls| traffic(&self.router, calls)).collect(),
        })
    }
}

fn traffic(router: &Router, calls: &RecentCalls) -> v1::MethodTraffic {
    let RecentCalls { service, method, transport, .. } = calls;
    let known = router.method(&format!("/{service}/{method}"));
    let side = match calls.side {
        Side::Server => v1::CallSide::Server,
        Side::Client => v1::CallSide::Client,
    };
    let codes = (0..).zip(calls.by_code).filter(|(_, calls)| *calls > 0);
    v1::MethodTraffic {
        side: side.into(),
        service: (*service).to_owned(),
        method: (*method).to_owned(),
        transport: (*transport).to_owned(),
        streaming: known.is_some_and(|method| method.shape() != Shape::Unary),
        codes: codes.map(|(code, calls)| v1::CodeCount { code, calls }).collect(),
        durations: calls.durations.to_vec(),
    }
}

/// The requested milliseconds, or the default.
fn milliseconds(what: &str, asked: u64, usual: u64, allowed: RangeInclusive<u64>) -> Result<u64, Status> {
    match asked {
        0 => Ok(usual),
        asked if allowed.contains(&asked) => Ok(asked),
        asked => Err(Status::invalid_argument(format!(
            "expected {what} of {} to {} ms, found {asked}",
            allowed.start(),
            allowed.end()
        ))),
    }
}

/// One watcher.
struct VitalsWatch {
    monitoring: NodeMonitoring,
    ticks: Interval,
}
