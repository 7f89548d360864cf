//! What the node measures of itself, in a registry of its own, rendered for Prometheus and OpenMetrics
//! scrapers.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `polywire_server_calls_total` | counter | `service, method, transport, code` |
//! | `polywire_server_call_duration_seconds` | histogram, 100 µs to 60 s | `service, method, transport` |
//! | `polywire_server_calls_in_flight` | gauge | `service, method, transport` |
//! | `polywire_server_messages_received_total`, `…_sent_total` | counter | `service, method, transport` |
//! | `polywire_server_bytes_received_total`, `…_sent_total` | counter | `service, method, transport` |
//! | `polywire_client_…` | the same, of the calls that this node makes | the same |
//! | `polywire_client_attempts_total` | counter | `service, method, transport, code, attempt` (`1`, `2`, `3`, `4+`) |
//! | `polywire_client_chosen_total` | counter | `service, transport` |
//! | `polywire_client_share` | gauge, from 0 to 1 | `service, transport` |
//! | `polywire_client_circuits` | gauge, ways to peers | `transport, state` (`untried`, `closed`, `suspected`, `open`, `half_open`) |
//! | `polywire_client_fallbacks_total` | counter | `from, to, reason` |
//! | `polywire_client_retries_total` | counter | `transport, reason` |
//! | `polywire_client_shadow_calls_total` | counter | `service, outcome` (`same`, `different`, `failed`) |
//! | `polywire_connections` | gauge | `transport, role` |
//! | `polywire_build_info` | gauge, always 1 | `version` |
//! | `polywire_iroh_paths` | gauge, of open connections | `kind` (`direct`, `relayed`), `selected` |
//! | `polywire_iroh_round_trip_seconds` | gauge, over selected paths | `kind`, `statistic` (`min`, `median`, `max`) |
//! | `polywire_iroh_socket_…`, `…_net_report_…`, `…_address_lookup_…` | what iroh counts itself | |
//! | `process_…` | the process, as every Prometheus client tells of it (Linux) | |
//!
//! The node counts the calls that it makes itself: Raft's, those that a gateway passes on, and those of whoever
//! calls with [`Node::connect_options`](crate::Node::connect_options) or
//! [`ConnectOptions::metrics`](crate::ConnectOptions::metrics). `polywire_connections` has the role `server` for
//! connections that were accepted and `client` for those that were made; over `memory://` none are made. A message
//! counts as sent once it is on its way to the transport, and its bytes each time that they are encoded: twice
//! where gRPC repeats a call that was certainly not taken.
//!
//! Calls go over another transport than the one they prefer because that does not work (`set_aside`) or has not been tried
//! (`untried`); or are made there again because nobody had seen them (`not_processed`), the server was `unavailable`, the
//! first attempt was `silent`, or for a `hedge`. The same reasons are those of calls made again over the same transport.
//!
//! `polywire_client_calls_total` counts every call that a connection was given, whoever gave it. A channel that chooses
//! among transports makes some of them as attempts at the calls of its caller, and `polywire_client_attempts_total` counts
//! these alone, hedges included, by which attempt it was: those with `attempt="1"` are the calls that began, and each one
//! beyond is one call more than was asked for. The others are a channel's probes of what works and its shadows. One that
//! was given up is `CANCELLED`, as the slower of a hedged pair is.
//!
//! `polywire_client_chosen_total` is by the transport that the policy chose, whether it worked then or not: the share of
//! one in all of a service is what `polywire_client_share` asks for, and what was taken in fact is the first attempts'.
//! That gauge is as of the last call, and absent where measurements decide. `polywire_client_circuits` counts the ways to
//! peers of all channels that are there, each transport to each peer in each channel once.
//!
//! `polywire_server_calls_total` counts every call that reached a listener, once, with the code that its caller sees: also
//! those that are refused before a service is asked (too large, too slow, of a connection that may not call it, retired, in
//! drain), and those whose answer cannot be sent. What is no gRPC at all, by its content type, is `UNKNOWN`, as it is to a
//! client of gRPC.
//!
//! A duration runs from the call's start to its status, so for streams it is the life of the stream. No label
//! ever holds what a peer chose: a service or method that this node does not know is called `unknown`. Of the calls
//! that it makes it knows those of its own program; a gateway knows none that it passes on.

mod call;
mod choices;
mod code;
mod connections;
mod families;
mod format;
mod key;
mod meter;
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

pub use call::{CallMetrics, InFlight};
pub(crate) use choices::{CircuitGauge, MethodChoices};
pub use connections::Connections;
pub use families::Side;
pub use format::Format;
pub(crate) use meter::{Meter, UNKNOWN};
pub use recent::{Recent, RecentCalls};

use choices::Choices;
use families::Families;
use key::Key;
use recent::Ring;

/// The metrics of one node. A clone is the same metrics.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    server: Families,
    client: Families,
    fallbacks: IntCounterVec,
    retries: IntCounterVec,
    shadows: IntCounterVec,
    choices: Choices,
    connections: IntGaugeVec,
    /// Read by every call, written once for each method and transport.
    calls: ArcSwap<HashMap<Key, CallMetrics>>,
    recent: Mutex<Ring>,
}

impl Metrics {
    /// Metrics that count from zero, in a registry that nobody else has.
    #[expect(clippy::new_without_default, reason = "two of them in a node would each count a part")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let server = Families::register(&registry, Side::Server);
        let client = Families::register(&registry, Side::Client);
        let fallbacks =
            Opts::new("polywire_client_fallbacks_total", "Calls that were moved to another transport.");
        let fallbacks = own(&registry, IntCounterVec::new(fallbacks, &["from", "to", "reason"]));
        let retries =
            Opts::new("polywire_client_retries_total", "Calls that were made again over the same transport.");
        let retries = own(&registry, IntCounterVec::new(retries, &["transport", "reason"]));
        let shadows = Opts::new(
            "polywire_client_shadow_calls_total",
            "Calls whose answers over two transports were compared.",
        );
        let shadows = own(&registry, IntCounterVec::new(shadows, &["service", "outcome"]));
        let choices = Choices::register(&registry);
        let connections = Opts::new("polywire_connections", "Open connections.");
        let connections = own(&registry, IntGaugeVec::new(connections, &["transport", "role"]));
        let build = Opts::new("polywire_build_info", "The version of polywire that runs.");
        let build = own(&registry, IntGaugeVec::new(build, &["version"]));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let calls = ArcSwap::default();
        Self {
            inner: Arc::new(Inner {
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

    /// The metrics of one method on one transport, to be asked for by every call: after the first time this
    /// neither locks nor allocates.
    ///
    /// `service` and `method` come from the method table, never from the wire; what the table does not know
    /// is `unknown`. Names are recognised by their address, so pass constants: a string leaked for every call
    /// would be remembered for every call.
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
        // Two that come here at once build handles to the same series, whichever of them is kept.
        let call = families.call([service, method, transport]);
        self.inner.calls.rcu(|calls| {
            let mut calls = HashMap::clone(calls);
            calls.insert(key, call.clone());
            calls
        });
        call
    }

    /// Counts a call that was moved from one transport to another, with a short constant as the reason.
    pub fn fallback(&self, from: &'static str, to: &'static str, reason: &'static str) {
        self.inner.fallbacks.with_label_values(&[from, to, reason]).inc();
    }

    /// Counts a call that was made again over the same transport, with a short constant as the reason.
    pub fn retry(&self, transport: &'static str, reason: &'static str) {
        self.inner.retries.with_label_values(&[transport, reason]).inc();
    }

    /// The counters of a method's calls over the transports of a channel that chooses among them. The names are this
    /// program's own, or [`UNKNOWN`].
    pub(crate) fn choices(
        &self,
        names: (&'static str, &'static str),
        transports: &[&'static str],
    ) -> MethodChoices {
        self.inner.choices.method(names.into(), transports)
    }

    /// Counts one more circuit over this transport, for as long as what this gives is there.
    pub(crate) fn circuit(&self, transport: &'static str) -> CircuitGauge {
        self.inner.choices.circuit(transport)
    }

    /// Counts a call whose answers over two transports were compared. The service is one of this program's own.
    pub(crate) fn shadowed(&self, service: &str, outcome: &'static str) {
        self.inner.shadows.with_label_values(&[service, outcome]).inc();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.recent.lock()
    }

    /// The gauge of open connections of a transport, of those accepted ([`Side::Server`]) or dialled.
    pub fn connections(&self, transport: &'static str, role: Side) -> Connections {
        Connections::new(self.inner.connections.with_label_values(&[transport, role.name()]))
    }

    /// Adds metrics of another origin to what is rendered; they are collected at every scrape.
    ///
    /// # Errors
    /// A metric of the same name and labels is there already, or the collector describes none.
    pub fn add_collector(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.inner.registry.register(collector)
    }

    /// The sum of all series of the gauge of this name, as it is now; 0 where there is none.
    pub fn sum(&self, gauge: &str) -> u64 {
        let families = self.inner.registry.gather();
        let family = families.iter().filter(|family| family.name() == gauge);
        let values =
            family.flat_map(|family| family.get_metric()).map(|metric| metric.get_gauge().get_value());
        // A gauge of ours counts, and what is below zero for a moment is nothing.
        values.sum::<f64>().max(0.0) as u64
    }

    /// Everything as it is now, to be sent with [`Format::content_type`].
    ///
    /// Families of the deprecated type `untyped` are left out.
    pub fn render(&self, format: Format) -> String {
        let families = self.inner.registry.gather();
        match format {
            Format::Text => text::encode(&families),
            Format::OpenMetrics => openmetrics::encode(&families),
        }
    }
}

/// Registers a family of ours.
///
/// # Panics
/// When a name or label is malformed or taken: both are constants here, so that the first test finds it.
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
