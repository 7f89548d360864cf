//! `[transport.strategy]`: which service travels over which transport.

use std::{collections::BTreeMap, time::Duration};

use super::{Rules, Shift};
use polywire_core::settings::Setting;
use polywire_core::{
    ShortName,
    policy::{Adaptive, Policies, Policy},
};
use serde::{Deserialize, Serialize};

polywire_core::section! {
    /// Which service travels over which transport.
    pub struct Strategy {
        /// Short names of the services that are called over Iroh where a peer offers both.
        pub prefer_iroh_for: Vec<ShortName> = Vec::new(),
        /// How the service with the short name "raft" is called: "always_grpc", "always_iroh", or
        /// { adaptive = { latency_threshold_ms = 50.0 } }. A node that serves only one of gRPC and
        /// Iroh calls it over that one; with cluster.peers it refuses to start with a rule that
        /// asks for the other.
        ///
        /// Consensus has its own rule, because a change of transport during an election costs
        /// more than a slow call.
        pub raft_transport: RaftTransport = RaftTransport::AlwaysGrpc,
        /// Whether a call is repeated over gRPC when Iroh provably did not process it. Services
        /// preferred on Iroh are then served on gRPC too.
        pub fallback_to_grpc: bool = true,
        /// Short names of the services that are no longer served on gRPC; needs
        /// `fallback_to_grpc = false`.
        pub retired_on_grpc: Vec<ShortName> = Vec::new(),
        /// The share of calls, from 0 to 1, that prefer Iroh, by the short name of their service; the
        /// others prefer gRPC: { inventory = 0.25 }. Raise it step by step.
        pub shift: Shift = Shift::default(),
        /// How calls choose besides, by the short name of a service or service/Method: { inventory =
        /// { adaptive = true }, "inventory/Get" = { hedge = "p95", shadow = 0.01 } }. Keys are
        /// adaptive, fallback, hedge, max_attempts and shadow.
        pub policy: Rules = Rules::default(),
    }
}

impl Strategy {
    /// What it says of each service to a [`Channel`](polywire_core::Channel).
    pub fn policies(&self) -> Policies {
        let on_iroh = Policy::default().prefer(["iroh", "grpc"]).fallback(self.fallback_to_grpc);
        let on_grpc = Policy::default().prefer(["grpc", "iroh"]);
        let mut named: BTreeMap<String, Policy> = BTreeMap::new();
        named.insert("raft".to_owned(), self.raft_transport.policy());
        for service in &self.prefer_iroh_for {
            named.insert(service.as_str().to_owned(), on_iroh.clone());
        }
        for (service, share) in self.shift.iter() {
            named.insert(service.as_str().to_owned(), on_iroh.clone().share(share));
        }
        let mut policies = Policies::new(on_grpc.clone());
        for (name, rule) in self.policy.iter() {
            let (service, method) = name.parts();
            let base = named.get(service).unwrap_or(&on_grpc).clone();
            match method {
                None => {
                    named.insert(service.to_owned(), rule.over(base));
                }
                // The names of services sort before those of their methods.
                Some(method) => policies = policies.method(service, method, rule.over(base)),
            }
        }
        named.into_iter().fold(policies, |policies, (service, policy)| policies.service(service, policy))
    }
}

impl RaftTransport {
    /// How a [`Channel`](polywire_core::Channel) chooses for Raft. Its `prefer` names all the transports that may be taken.
    pub fn policy(self) -> Policy {
        match self {
            Self::AlwaysGrpc => Policy::default().prefer(["grpc"]).fallback(false),
            Self::AlwaysIroh => Policy::default().prefer(["iroh"]).fallback(false),
            Self::Adaptive { latency_threshold_ms: ms } => {
                let threshold = Duration::try_from_secs_f64(ms / 1e3).unwrap_or(Duration::MAX);
                Policy::default().prefer(["iroh", "grpc"]).adaptive(Adaptive::Below(threshold))
            }
        }
    }
}

/// How the Raft service is called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RaftTransport {
    /// Over gRPC.
    AlwaysGrpc,
    /// Over Iroh.
    AlwaysIroh,
    /// Over Iroh while it is fast enough, else over gRPC.
    Adaptive {
        /// Measured latency in milliseconds above which a call goes over gRPC.
        latency_threshold_ms: f64,
    },
}

impl Setting for RaftTransport {
    const EXPECTED: &'static str = "\"always_grpc\", \"always_iroh\" or \
        { adaptive = { latency_threshold_ms = 50.0 } } with a number above zero";

    fn in_range(&self) -> bool {
        match *self {
            Self::Adaptive { latency_threshold_ms: ms } => ms.is_finite() && ms > 0.0,
            Self::AlwaysGrpc | Self::AlwaysIroh => true,
        }
    }
}
