//! The node's metrics, in a registry of their own, rendered for Prometheus and OpenMetrics scrapers.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `polywire_server_calls_total` | counter | `service, method, transport, code` |
//! | `polywire_server_call_duration_seconds` | histogram, 100 µs to 60 s | `service, method, transport` |
//! | `polywire_server_calls_in_flight` | gauge | `service, method, transport` |
//! | `polywire_server_messages_received_total`, `…_sent_total` | counter | `service, method, transport` |
//! | `polywire_server_bytes_received_total`, `…_sent_total` | counter | `service, method, transport` |
//! | `polywire_client_…` | the same, for the calls that this node makes | the same |
//! | `polywire_client_attempts_total` | counter | `service, method, transport, code, attempt` (`1`, `2`, `3`, `4+`) |
//! | `polywire_client_chosen_total` | counter | `service, transport` |
//! | `polywire_client_share` | gauge, from 0 to 1 | `service, transport` |
//! | `polywire_client_circuits` | gauge, subchannels | `transport, state` (`untried`, `closed`, `suspected`, `open`, `half_open`) |
//! | `polywire_client_fallbacks_total` | counter | `from, to, reason` |
//! | `polywire_client_retries_total` | counter | `transport, reason` |
//! | `polywire_client_shadow_calls_total` | counter | `service, outcome` (`same`, `different`, `failed`) |
//! | `polywire_connections` | gauge | `transport, role` |
//! | `polywire_build_info` | gauge, always 1 | `version` |
//! | `polywire_iroh_paths` | gauge, of open connections | `kind` (`direct`, `relayed`), `selected` |
//! | `polywire_iroh_round_trip_seconds` | gauge, over selected paths | `kind`, `statistic` (`min`, `median`, `max`) |
//! | `polywire_iroh_socket_…`, `…_net_report_…`, `…_address_lookup_…` | iroh's own metrics | |
//! | `process_…` | the usual process metrics of Prometheus clients (Linux) | |
//!
//! Client metrics cover the calls that the node makes: Raft's, those that a gateway forwards, and those made with
//! [`Node::connect_options`](crate::Node::connect_options) or
//! [`ConnectOptions::metrics`](polywire_core::ConnectOptions::metrics). `polywire_connections` has the role `server` for accepted
//! connections and `client` for dialled ones; `memory://` has no connections. A message counts as sent once it is handed to
//! the transport. Its bytes count at each encoding: twice if gRPC retries a call that was not processed.
//!
//! The reasons of fallbacks and retries: the preferred transport has failed lately (`set_aside`) or is untried (`untried`),
//! the call was `not_processed`, the server was `unavailable`, the first attempt was `silent`, or the attempt is a `hedge`.
//!
//! `polywire_client_calls_total` counts every call on a connection. A channel over several transports makes some of them as
//! attempts of its caller's calls. `polywire_client_attempts_total` counts these alone, including hedges, by the number of
//! the attempt: `attempt="1"` counts calls, and every further attempt is an additional one. The other calls are probes and
//! shadow calls. A cancelled attempt, such as the slower one of a hedged pair, counts as `CANCELLED`.
//!
//! `polywire_client_chosen_total` counts calls by the transport that the policy chose, whether it worked or not. Its share
//! of a service's calls follows `polywire_client_share`; the first attempts show the transports that were actually used.
//! That gauge shows the state at the last call, and is absent if measurements decide. `polywire_client_circuits` counts the
//! subchannels of all channels: one for each peer and transport of a channel.
//!
//! `polywire_server_calls_total` counts every call that reaches a listener once, with the code that the caller sees. This
//! includes calls that are refused before dispatch (too large, too slow, not permitted on the connection, retired,
//! draining) and calls whose response cannot be sent. Requests with another content type than gRPC's count as `UNKNOWN`,
//! the code that a gRPC client would report.
//!
//! A duration runs from the start of a call to its status, so for a stream it is the lifetime of the stream. Labels never
//! hold names that a peer chose: an unknown service or method is called `unknown`. For outgoing calls, the known methods
//! are those of the program itself; a gateway knows none of the calls that it forwards.

mod call;
mod choices;
mod collected;
mod connections;
mod families;
mod format;
mod key;
mod observer;
mod openmetrics;
mod recent;
mod text;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

pub use connections::Connections;
pub use format::Format;
pub use polywire_core::observer::{InFlight, Side, UNKNOWN};
pub use recent::{Recent, RecentCalls};

pub use call::CallMetrics;
use choices::Choices;
use families::Families;
use key::Key;
use recent::Ring;

/// The metrics of one node. Clones share the metrics.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<MetricSet>,
}

struct MetricSet {
    registry: Registry,
    server: Families,
    client: Families,
    fallbacks: IntCounterVec,
    retries: IntCounterVec,
    shadows: IntCounterVec,
    choices: Choices,
    connections: IntGaugeVec,
    /// Read by every call, written once per method and transport.
    calls: ArcSwap<HashMap<Key, CallMetrics>>,
    recent: Mutex<Ring>,
}

impl Metrics {
    /// Creates metrics that start at zero, in a new registry.
    #[expect(clippy::new_without_default, reason = "two of them in a node would each count a part")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let server = Families::register(&registry, Side::Server);
        let client = Families::register(&registry, Side::Client);
        let fallbacks =
            Opts::new("polywire_client_fallbacks_total", "Calls that fell back to another transport.");
        let fallbacks = own(&registry, IntCounterVec::new(fallbacks, &["from", "to", "reason"]));
        let retries = Opts::new("polywire_client_retries_total", "Retries over the same transport.");
        let retries = own(&registry, IntCounterVec::new(retries, &["transport", "reason"]));
        let shadows = Opts::new(
            "polywire_client_shadow_calls_total",
            "Shadow calls, whose responses over two transports were compared.",
        );
        let shadows = own(&registry, IntCounterVec::new(shadows, &["service", "outcome"]));
        let choices = Choices::register(&registry);
        let connections = Opts::new("polywire_connections", "Open connections.");
        let connections = own(&registry, IntGaugeVec::new(connections, &["transport", "role"]));
        let build = Opts::new("polywire_build_info", "The running version of polywire.");
        let build = own(&registry, IntGaugeVec::new(build, &["version"]));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let calls = ArcSwap::default();
        Self {
            inner: Arc::new(MetricSet {
                registry,
                server,
                client,
                fallbacks,
                retries,
                shadows,
                choices,
                connections,
                calls,
                recent: Mutex::new(Ring::new()),
            }),
        }
    }

    /// The metrics of one method on one transport. Calls may look them up each time: after the first lookup this neither
    /// locks nor allocates.
    ///
    /// `service` and `method` come from the method table, never from the wire; an unknown method is `unknown`. The lookup
    /// compares addresses of names, so pass constants: a string leaked per call would add an entry per call.
    pub fn call(
        &self,
        side: Side,
        service: &'static str,
        method: &'static str,
        transport: &'static str,
    ) -> CallMetrics {
        let key = Key::of(side, [service, method, transport]);
        if let Some(known) = self.inner.calls.load().get(&key) {
            return known.clone();
        }
        let families = match side {
            Side::Server => &self.inner.server,
            Side::Client => &self.inner.client,
        };
        // Two concurrent callers create handles of the same series; either may be kept.
        let call = families.call([service, method, transport]);
        self.inner.calls.rcu(|calls| {
            let mut calls = HashMap::clone(calls);
            calls.insert(key, call.clone());
            calls
        });
        call
    }

    /// Counts a fallback from one transport to another. The reason is a short constant.
    pub fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        self.inner.fallbacks.with_label_values(&[from, to, reason]).inc();
    }

    /// Counts a retry over the same transport. The reason is a short constant.
    pub fn retry(&self, transport: &'static str, reason: &'static str) {
        self.inner.retries.with_label_values(&[transport, reason]).inc();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.recent.lock()
    }

    /// The gauge of a transport's open connections, accepted ([`Side::Server`]) or dialled ([`Side::Client`]).
    pub fn connections(&self, transport: &'static str, role: Side) -> Connections {
        Connections::new(self.inner.connections.with_label_values(&[transport, role.name()]))
    }

    /// Adds further metrics, which are collected at every scrape.
    ///
    /// # Errors
    /// If a metric of the same name and labels exists, or the collector describes none.
    pub fn add_collector(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.inner.registry.register(collector)
    }

    /// The current sum of all series of the gauge with this name; 0 if there is none.
    pub fn sum(&self, gauge: &str) -> u64 {
        let families = self.inner.registry.gather();
        let family = families.iter().filter(|family| family.name() == gauge);
        let values =
            family.flat_map(|family| family.get_metric()).map(|metric| metric.get_gauge().get_value());
        // Our gauges are counts; a momentary negative sum is clamped to zero.
        values.sum::<f64>().max(0.0) as u64
    }

    /// Renders all metrics, to be sent with [`Format::content_type`].
    ///
    /// Families of the deprecated type `untyped` are omitted.
    pub fn render(&self, format: Format) -> String {
        let families = self.inner.registry.gather();
        match format {
            Format::Text => text::encode(&families),
            Format::OpenMetrics => openmetrics::encode(&families),
        }
    }
}

/// Registers a metric family of this crate.
///
/// # Panics
/// If a name or label is malformed or a duplicate. Both are constants, so any test would find it.
fn own<C: Collector + Clone + 'static>(registry: &Registry, family: prometheus::Result<C>) -> C {
    let family = family.expect("names and labels are well-formed");
    registry.register(Box::new(family.clone())).expect("names are unique");
    family
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
