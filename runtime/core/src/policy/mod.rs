//! Rules and arithmetic of the choice of a transport and of retries, without IO and without a clock.
//!
//! A [`Policy`] applies to a service or to one of its methods. [`Policies`] has the policies of all services. Channels read
//! a [`PolicyHandle`] at each call, so that a change applies from the next call on.

mod backoff;
pub(crate) mod budget;
pub(crate) mod choice;
pub(crate) mod circuit;
mod handle;
pub(crate) mod handler_time;
pub(crate) mod hedge;
pub(crate) mod pushback;
pub(crate) mod score;
pub(crate) mod share;
pub(crate) mod verdict;

use std::{collections::BTreeMap, time::Duration};

pub use self::{backoff::Backoff, handle::PolicyHandle, hedge::Hedge};

use crate::method;

/// The policy by which calls of a service, or of one method, choose among the transports of a [`Channel`](crate::Channel).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// The transports by name, the preferred one first. Unnamed ones follow in the channel's order. Default empty: the
    /// channel's order.
    pub prefer: Vec<String>,
    /// The share of calls that prefer the first transport; the others prefer the second. From 0 to 1, default 1.
    pub share: f64,
    /// Whether a call may fall back to another transport. Default true.
    pub fallback: bool,
    /// Whether measurements decide. Default [`Adaptive::Off`].
    pub adaptive: Adaptive,
    /// The most attempts of a call, including the first. Default 3.
    pub max_attempts: u32,
    /// The backoff between two attempts over the same transport. There is none before an attempt over another transport.
    pub backoff: Backoff,
    /// The hedge delay of idempotent unary calls, after which a second attempt goes over another transport. Default none.
    pub hedge: Option<Hedge>,
    /// The share of idempotent unary calls to mirror over another transport, to compare the responses. From 0 to 1,
    /// default 0.
    pub shadow: f64,
    /// Whether latencies and failures of the calls measure the transport. Default true. Set it to false for calls whose
    /// duration does not depend on the transport, such as long polls and large transfers: they are not measured, and an
    /// adaptive choice for them uses the measurements of the channel's other calls.
    pub measured: bool,
}

/// Whether measurements decide among transports.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Adaptive {
    /// The order of preference alone decides.
    #[default]
    Off,
    /// The transport with the lowest latency and error rate, as [`Channel::explain`](crate::Channel::explain) shows.
    Fastest,
    /// The preferred transport while its latency is at most this, the next one otherwise.
    Below(Duration),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            prefer: Vec::new(),
            share: 1.0,
            fallback: true,
            adaptive: Adaptive::Off,
            max_attempts: 3,
            backoff: Backoff::default(),
            hedge: None,
            shadow: 0.0,
            measured: true,
        }
    }
}

impl Policy {
    /// Sets the order of transports, the preferred one first.
    #[must_use]
    pub fn prefer<S: Into<String>>(mut self, transports: impl IntoIterator<Item = S>) -> Self {
        self.prefer = transports.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the share of calls that prefer the first transport.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets whether a call may fall back to another transport.
    #[must_use]
    pub fn fallback(mut self, fallback: bool) -> Self {
        self.fallback = fallback;
        self
    }

    /// Sets how measurements decide.
    #[must_use]
    pub fn adaptive(mut self, adaptive: Adaptive) -> Self {
        self.adaptive = adaptive;
        self
    }

    /// Sets the most attempts of a call, including the first; at least one.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the backoff between two attempts over the same transport.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the hedge delay of idempotent unary calls.
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.hedge = hedge.into();
        self
    }

    /// Sets the share of idempotent unary calls to mirror over another transport, to compare the responses.
    #[must_use]
    pub fn shadow(mut self, share: f64) -> Self {
        self.shadow = share;
        self
    }

    /// Sets whether latencies and failures of the calls measure the transport.
    #[must_use]
    pub fn measured(mut self, measured: bool) -> Self {
        self.measured = measured;
        self
    }
}

/// The policies of all services.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    other: Policy,
    services: BTreeMap<String, Policy>,
    methods: BTreeMap<String, Policy>,
}

impl Policies {
    /// Creates policies with this one as the default of all services.
    pub fn new(policy: Policy) -> Self {
        Self { other: policy, ..Self::default() }
    }

    /// Sets the policy of the service with this short name, such as `health` for `grpc.health.v1.Health`.
    #[must_use]
    pub fn service(mut self, short_name: impl Into<String>, policy: Policy) -> Self {
        self.services.insert(short_name.into(), policy);
        self
    }

    /// Sets the policy of a method of the service with this short name.
    #[must_use]
    pub fn method(mut self, short_name: &str, method: &str, policy: Policy) -> Self {
        self.methods.insert(format!("{short_name}/{method}"), policy);
        self
    }

    /// The policy of the method at this path, `/package.Service/Method`: its own, its service's or the default.
    pub fn of(&self, path: &str) -> &Policy {
        let (service, method) = method::split(path);
        let short = method::short_name(service);
        if !self.methods.is_empty()
            && let Some(policy) = self.methods.get(&format!("{short}/{method}"))
        {
            return policy;
        }
        self.services.get(short).unwrap_or(&self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_policy_holds() {
        let policies = Policies::new(Policy::default().share(0.1))
            .service("kv", Policy::default().share(0.2))
            .method("kv", "Get", Policy::default().share(0.3));
        let share = |path| policies.of(path).share;
        assert_eq!(share("/polywire.kv.v1.Kv/Get"), 0.3);
        assert_eq!(share("/polywire.kv.v1.Kv/Put"), 0.2);
        assert_eq!(share("/grpc.health.v1.Health/Check"), 0.1);
    }
}
