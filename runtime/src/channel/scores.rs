use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::order::Order;
use crate::{
    method,
    policy::{
        Policies, Policy, PolicyHandle, choice::Choice, handler_time::HandlerTime, hedge::Durations,
        score::Score, share::Share,
    },
};

/// What is known of each method that was called: its policy, and how its service has been doing over each transport.
pub(super) struct Methods {
    policies: PolicyHandle,
    transports: Vec<&'static str>,
    /// Which transports each service may take, a bit for each place, where not all.
    serving: HashMap<String, u8>,
    known: ArcSwap<HashMap<String, Arc<MethodScores>>>,
    services: Mutex<HashMap<String, Arc<ServiceScores>>>,
}

/// One method.
pub(super) struct MethodScores {
    pub(super) service: Arc<ServiceScores>,
    ruling: ArcSwap<Ruling>,
    pub(super) durations: Durations,
    pub(super) handler: HandlerTime,
    pub(super) share: Share,
    pub(super) shadow: Share,
}

/// The policy of a method, and the order of transports that follows from it.
pub(super) struct Ruling {
    of: Arc<Policies>,
    pub(super) policy: Policy,
    pub(super) order: Order,
}

/// One service over each transport.
pub(super) struct ServiceScores {
    pub(super) name: String,
    scores: Vec<Mutex<Score>>,
    pub(super) choice: Choice,
}

/// How many methods are told apart. Their names are a program's own; only one that passes on what others call has more,
/// and those beyond share one.
const METHODS: usize = 1_024;

/// Who has no place of their own.
const OTHERS: &str = "/others/others";

impl Methods {
    pub(super) fn new(
        policies: PolicyHandle,
        transports: Vec<&'static str>,
        serving: HashMap<String, u8>,
    ) -> Self {
        Self { policies, transports, serving, known: ArcSwap::default(), services: Mutex::default() }
    }

    /// Which transports each service may take, where not all.
    #[cfg(feature = "node")]
    pub(super) fn serving(&self) -> &HashMap<String, u8> {
        &self.serving
    }

    /// The method at this path.
    pub(super) fn at(&self, path: &str) -> Arc<MethodScores> {
        let known = self.known.load();
        match known.get(path) {
            Some(method) => method.clone(),
            None if known.len() >= METHODS => self.learn(OTHERS),
            None => self.learn(path),
        }
    }

    /// What rules the calls of this method now.
    pub(super) fn ruling(&self, path: &str, method: &MethodScores) -> Arc<Ruling> {
        let policies = self.policies.now();
        let ruling = method.ruling.load();
        if Arc::ptr_eq(&ruling.of, &policies) {
            return arc_swap::Guard::into_inner(ruling);
        }
        let ruling = Arc::new(self.rule(path));
        method.ruling.store(ruling.clone());
        ruling
    }

    /// All services that were called, by name.
    pub(super) fn services(&self) -> Vec<Arc<ServiceScores>> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn learn(&self, path: &str) -> Arc<MethodScores> {
        let method = Arc::new(MethodScores {
            service: self.service(method::split(path).0),
            ruling: ArcSwap::from_pointee(self.rule(path)),
            durations: Durations::new(),
            handler: HandlerTime::default(),
            share: Share::default(),
            shadow: Share::default(),
        });
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(path.to_owned()).or_insert_with(|| method.clone());
            known
        });
        self.known.load().get(path).cloned().unwrap_or(method)
    }

    fn service(&self, name: &str) -> Arc<ServiceScores> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let scores = self.transports.iter().map(|_| Mutex::default()).collect();
            Arc::new(ServiceScores { name: name.to_owned(), scores, choice: Choice::default() })
        };
        services.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

impl ServiceScores {
    /// How it has been doing over the transport at this place.
    pub(super) fn score(&self, route: usize) -> Score {
        *self.scores[route].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call ended.
    pub(super) fn note(&self, route: usize, now: Instant, took: Duration, well: bool) {
        self.scores[route].lock().unwrap_or_else(PoisonError::into_inner).note(now, took, well);
    }
}
