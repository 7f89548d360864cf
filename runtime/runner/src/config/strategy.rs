//! `[transport.strategy]`: the choice of transports for outgoing calls.

use std::{collections::BTreeMap, time::Duration};

use super::{Rules, Shift};
use polywire_core::settings::Setting;
use polywire_core::{
    ShortName,
    policy::{Adaptive, Policies, Policy},
};
use serde::{Deserialize, Serialize};

polywire_core::section! {
    /// The choice of transports for outgoing calls.
    pub struct Strategy {
        /// Short names of the services to call over Iroh if the peer serves both gRPC and Iroh. A
        /// short name is the last word of the package before its version: "inventory" for
        /// inventory.v1.Inventory.
        pub prefer_iroh_for: Vec<ShortName> = Vec::new(),
        /// Transport of the service with the short name "raft": "always_grpc", "always_iroh", or
        /// { adaptive = { latency_threshold_ms = 50.0 } }. A node that serves only one of gRPC and
        /// Iroh uses that one; with cluster.peers it refuses to start if this key requires the
        /// other.
        ///
        /// Consensus has its own key, because a change of transport during an election costs
        /// more than a slow call.
        pub raft_transport: RaftTransport = RaftTransport::AlwaysGrpc,
        /// Whether a call falls back to gRPC if Iroh provably did not process it. Services that
        /// prefer Iroh are then served on gRPC too.
        pub fallback_to_grpc: bool = true,
        /// Short names of the services that gRPC no longer serves; requires
        /// `fallback_to_grpc = false`.
        pub retired_on_grpc: Vec<ShortName> = Vec::new(),
        /// The share of calls, from 0 to 1, that prefer Iroh, by the short name of the service:
        /// { inventory = 0.25 }. The other calls prefer gRPC.
        pub shift: Shift = Shift::default(),
        /// Further policies, by the short name of a service or service/Method: { inventory =
        /// { adaptive = true }, "inventory/Get" = { hedge = "p95", shadow = 0.01 } }. The keys are
        /// adaptive, fallback, hedge, max_attempts and shadow.
        pub policy: Rules = Rules::default(),
    }
}

impl Strategy {
    /// The policies of a [`Channel`](polywire_core::Channel).
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
    /// The policy of Raft's calls. Its `prefer` names all transports that Raft may use.
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

/// The transport of Raft's calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RaftTransport {
    /// gRPC.
    AlwaysGrpc,
    /// Iroh.
    AlwaysIroh,
    /// Iroh while its latency is below the threshold, otherwise gRPC.
    Adaptive {
        /// Measured latency in milliseconds above which calls use gRPC.
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
