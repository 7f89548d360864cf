//! What decides over which transport a call goes, and whether it is made again: rules and arithmetic, without IO and
//! without a clock of their own.
//!
//! A [`Policy`] holds for a service, or for one method of it; [`Policies`] has those of all of them, and a
//! [`PolicyHandle`] is what channels look into for each call, so that a change holds from the next call on.

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

/// How the calls of a service, or of one method, choose among the transports of a [`Channel`](crate::Channel).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// The transports by name, the preferred one first; those that it does not name come behind, in the order in which
    /// the channel has them. Default none: the channel's order.
    pub prefer: Vec<String>,
    /// The share of calls that prefer the first transport; the others prefer the second. From 0 to 1, default 1.
    pub share: f64,
    /// Whether a call may go over another transport than the one it prefers. Default true.
    pub fallback: bool,
    /// Whether what has been measured decides. Default [`Adaptive::Off`].
    pub adaptive: Adaptive,
    /// How often a call is attempted, the first time included. Default 3.
    pub max_attempts: u32,
    /// How long is waited between two attempts. No wait where the next one goes over another transport.
    pub backoff: Backoff,
    /// When an idempotent unary call that is not answered yet is made over another transport as well. Default never.
    pub hedge: Option<Hedge>,
    /// The share of idempotent unary calls that are also made over another transport, to compare the answers. From 0 to
    /// 1, default 0.
    pub shadow: f64,
    /// Whether how long its calls take, and how many fail, says how well a transport does. Default true. False for calls
    /// that wait for something else than the way there and back, as a long poll or a large transfer does: they count
    /// for nothing, and an adaptive choice for them goes by what the channel's other calls have shown.
    pub measured: bool,
}

/// Whether what has been measured decides between transports.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Adaptive {
    /// The order of preference alone decides.
    #[default]
    Off,
    /// The transport that answers fastest and fails least, as [`Channel::explain`](crate::Channel::explain) shows.
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
    /// This order of transports, the preferred one first.
    #[must_use]
    pub fn prefer<S: Into<String>>(mut self, transports: impl IntoIterator<Item = S>) -> Self {
        self.prefer = transports.into_iter().map(Into::into).collect();
        self
    }

    /// This share of calls prefers the first transport.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Whether a call may go over another transport than the one it prefers.
    #[must_use]
    pub fn fallback(mut self, fallback: bool) -> Self {
        self.fallback = fallback;
        self
    }

    /// What has been measured decides so.
    #[must_use]
    pub fn adaptive(mut self, adaptive: Adaptive) -> Self {
        self.adaptive = adaptive;
        self
    }

    /// A call is attempted this often, the first time included; at least once.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// This is waited between two attempts over the same transport.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// An idempotent unary call that is not answered after this is made over another transport as well.
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.hedge = hedge.into();
        self
    }

    /// This share of idempotent unary calls is made over another transport too, and the answers are compared.
    #[must_use]
    pub fn shadow(mut self, share: f64) -> Self {
        self.shadow = share;
        self
    }

    /// Whether how long its calls take, and how many fail, says how well a transport does.
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
    /// This policy for every service.
    pub fn new(policy: Policy) -> Self {
        Self { other: policy, ..Self::default() }
    }

    /// This one for the service with this short name, such as `health` for `grpc.health.v1.Health`.
    #[must_use]
    pub fn service(mut self, short_name: impl Into<String>, policy: Policy) -> Self {
        self.services.insert(short_name.into(), policy);
        self
    }

    /// This one for a method of the service with this short name.
    #[must_use]
    pub fn method(mut self, short_name: &str, method: &str, policy: Policy) -> Self {
        self.methods.insert(format!("{short_name}/{method}"), policy);
        self
    }

    /// The policy of the method at this path, `/package.Service/Method`: its own, that of its service, or that of all.
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
