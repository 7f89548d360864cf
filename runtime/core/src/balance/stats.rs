use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{
    observer::{ChannelObserver, MethodObserver},
    picker::Order,
};
use crate::{
    context::Path,
    method,
    policy::{
        Adaptive, Policies, Policy, PolicyHandle, choice::Choice, handler_time::HandlerTime,
        hedge::Durations, score::Score, share::Share, verdict::Verdict,
    },
    sync::{Mutex, MutexGuard},
};

/// What is known of each method that was called: its policy, and how its service has been doing over each transport.
pub(super) struct Methods {
    policies: PolicyHandle,
    transports: Vec<&'static str>,
    /// Which transports each service may take, a bit for each place, where not all.
    serving: HashMap<String, u8>,
    observer: ChannelObserver,
    /// Counts the calls of all methods with unknown names.
    unknown: Arc<MethodObserver>,
    known: ArcSwap<HashMap<String, Arc<MethodStats>>>,
    services: Mutex<HashMap<String, Arc<ServiceStats>>>,
}

/// One method.
pub(super) struct MethodStats {
    pub(super) service: Arc<ServiceStats>,
    ruling: ArcSwap<Ruling>,
    pub(super) durations: Durations,
    pub(super) handler: HandlerTime,
    pub(super) share: Share,
    pub(super) shadow: Share,
    /// Counts the calls by name, from the first call by this program on.
    named: OnceLock<MethodObserver>,
    unknown: Arc<MethodObserver>,
}

/// The policy of a method, and the order of transports that follows from it.
pub(super) struct Ruling {
    of: Arc<Policies>,
    pub(super) policy: Policy,
    pub(super) order: Order,
}

/// One service over each transport.
pub(super) struct ServiceStats {
    pub(super) name: String,
    scores: Vec<Mutex<Score>>,
    pub(super) choice: Choice,
}

/// How many methods are told apart. Their names are a program's own; only one that passes on what others call has more,
/// and those beyond share one.
const METHODS: usize = 1_024;

/// The shared entry of all further methods.
const OTHERS: &str = "/others/others";

impl Methods {
    pub(super) fn new(
        policies: PolicyHandle,
        transports: Vec<&'static str>,
        serving: HashMap<String, u8>,
        observer: ChannelObserver,
    ) -> Self {
        let unknown = Arc::new(observer.unknown(&transports));
        let (known, services) = (ArcSwap::default(), Mutex::default());
        Self { policies, transports, serving, observer, unknown, known, services }
    }

    /// Which transports each service may take, where not all.
    pub(super) fn serving(&self) -> &HashMap<String, u8> {
        &self.serving
    }

    /// The method at this path.
    pub(super) fn at(&self, path: &Path) -> Arc<MethodStats> {
        let known = self.known.load();
        let method = match known.get(path.as_str()) {
            Some(method) => method.clone(),
            None if known.len() >= METHODS => return self.learn(OTHERS),
            None => self.learn(path.as_str()),
        };
        // A path that was received is whatever a peer made up, and no name to count by.
        if let Path::Static(path) = path
            && !path.is_empty()
            && method.named.get().is_none()
        {
            self.name(path, &method);
        }
        method
    }

    fn name(&self, path: &'static str, method: &MethodStats) {
        method.named.get_or_init(|| self.observer.method(path, &self.transports));
        self.show_share(method);
    }

    /// Shows which share of the calls of the method's service its policy asks for over each transport.
    fn show_share(&self, method: &MethodStats) {
        let Some(observer) = method.named.get() else { return };
        let ruling = self.rule(&format!("/{}/", method.service.name));
        let of_transport = |transport| {
            let places = ruling.order.iter().enumerate();
            let own = places.filter(|(_, place)| self.transports[*place] == transport);
            own.map(|(position, _)| ruling.share(position)).sum()
        };
        for (place, transport) in self.transports.iter().enumerate() {
            observer.asks_for(place, of_transport(*transport));
        }
    }

    /// What rules the calls of this method now.
    pub(super) fn ruling(&self, path: &str, method: &MethodStats) -> Arc<Ruling> {
        let policies = self.policies.now();
        let ruling = method.ruling.load();
        if Arc::ptr_eq(&ruling.of, &policies) {
            return arc_swap::Guard::into_inner(ruling);
        }
        let ruling = Arc::new(self.rule(path));
        method.ruling.store(ruling.clone());
        self.show_share(method);
        ruling
    }

    /// All services that were called, by name.
    pub(super) fn services(&self) -> Vec<Arc<ServiceStats>> {
        let services = self.services.lock();
        let mut services: Vec<_> = services.values().cloned().collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// The policy and order of a service as a whole.
    pub(super) fn rule(&self, path: &str) -> Ruling {
        let of = self.policies.get();
        let policy = of.of(path).clone();
        let mut order = Order::preferring(&policy.prefer, &self.transports);
        if let Some(places) = self.serving.get(method::split(path).0) {
            order = order.among(*places);
        }
        Ruling { of, policy, order }
    }

    fn learn(&self, path: &str) -> Arc<MethodStats> {
        let method = Arc::new(MethodStats {
            service: self.service(method::split(path).0),
            ruling: ArcSwap::from_pointee(self.rule(path)),
            durations: Durations::new(),
            handler: HandlerTime::default(),
            share: Share::default(),
            shadow: Share::default(),
            named: OnceLock::new(),
            unknown: self.unknown.clone(),
        });
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(path.to_owned()).or_insert_with(|| method.clone());
            known
        });
        self.known.load().get(path).cloned().unwrap_or(method)
    }

    fn service(&self, name: &str) -> Arc<ServiceStats> {
        let mut services = self.services.lock();
        let make = || {
            let scores = self.transports.iter().map(|_| Mutex::default()).collect();
            Arc::new(ServiceStats { name: name.to_owned(), scores, choice: Choice::default() })
        };
        services.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

impl MethodStats {
    /// What counts its calls.
    pub(super) fn observer(&self) -> &MethodObserver {
        self.named.get().unwrap_or(&self.unknown)
    }
}

impl Ruling {
    /// The share of calls for which the transport at this position of the order is chosen; `None` where measurements
    /// decide.
    fn share(&self, position: usize) -> Option<f64> {
        if self.policy.adaptive != Adaptive::Off {
            return None;
        }
        Some(match position {
            0 if self.order.len() == 1 => 1.0,
            0 => self.policy.share,
            1 => 1.0 - self.policy.share,
            _ => 0.0,
        })
    }
}

impl ServiceStats {
    /// How it has been doing over the transport at this place.
    pub(super) fn score(&self, subchannel: usize) -> Score {
        *self.lock(subchannel)
    }

    /// A call ended.
    pub(super) fn note(&self, subchannel: usize, now: Instant, took: Duration, verdict: Verdict) {
        self.lock(subchannel).note(now, took, verdict);
    }

    /// Whether the transport at this place, which is left alone for its calls fail, is to be tried by this call.
    pub(super) fn try_again(&self, subchannel: usize, now: Instant) -> bool {
        self.lock(subchannel).try_again(now)
    }

    fn lock(&self, subchannel: usize) -> MutexGuard<'_, Score> {
        self.scores[subchannel].lock()
    }
}
