use std::sync::Arc;

use arc_swap::ArcSwap;
use polywire::{
    ConnectOptions,
    policy::{Policies, Policy, PolicyHandle},
};

use super::proof::Prover;

/// How members are dialled: over which transports, and how calls choose between them. It follows the node's policy for the
/// service `raft`.
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) options: ConnectOptions,
    /// What makes the proofs of this node's calls; `None` in tests without keys.
    pub(super) prover: Option<Prover>,
    /// The node's policies; `None` in a node that serves only one transport.
    given: Option<PolicyHandle>,
    /// The policies that were read last.
    seen: ArcSwap<Policies>,
    rule: ArcSwap<Rule>,
}

/// The rule at one time.
#[derive(Debug)]
pub(super) struct Rule {
    policy: Policy,
    pub(super) policies: Policies,
}

/// The method whose policy tells how Raft is called.
const VOTE: &str = "/polywire.raft.v1.Raft/Vote";

impl Dialling {
    /// This policy, until the given policies change it.
    pub(super) fn new(options: ConnectOptions, policy: Policy, given: Option<PolicyHandle>) -> Self {
        let seen = given.as_ref().map(PolicyHandle::get).unwrap_or_default();
        let rule = ArcSwap::from_pointee(Rule::new(policy));
        Self { options, prover: None, given, seen: ArcSwap::new(seen), rule }
    }

    /// The same, with proofs.
    pub(super) fn proving(self, prover: Option<Prover>) -> Self {
        Self { prover, ..self }
    }

    /// The rule for a call that is made now.
    pub(super) fn rule(&self) -> Arc<Rule> {
        if let Some(given) = &self.given {
            let now = given.get();
            if !Arc::ptr_eq(&now, &self.seen.load()) {
                let policy = now.of(VOTE);
                if *policy != self.rule.load().policy {
                    tracing::info!(transports = ?policy.prefer, "Raft switches to other transports");
                    self.rule.store(Arc::new(Rule::new(policy.clone())));
                }
                self.seen.store(now);
            }
        }
        self.rule.load_full()
    }
}

impl Rule {
    /// One attempt per call: Raft repeats its messages, and so does the caller of a leader. Only consensus messages measure
    /// a transport, since members answer them at once; a write waits for other members, a snapshot for the disk.
    fn new(policy: Policy) -> Self {
        let consensus = policy.clone().max_attempts(1);
        let rest = consensus.clone().measured(false);
        let policies =
            Policies::new(rest.clone()).service("raft", consensus).method("raft", "InstallSnapshot", rest);
        Self { policy, policies }
    }

    /// The allowed transports, the preferred one first.
    pub(super) fn transports(&self) -> &[String] {
        &self.policy.prefer
    }
}

#[cfg(test)]
mod tests {
    use polywire::config::RaftTransport;

    use super::*;

    fn policies(rule: RaftTransport) -> Policies {
        Policies::default().service("raft", rule.policy())
    }

    #[test]
    fn another_rule_holds_from_the_next_call_on_and_other_changes_change_nothing() {
        let node = PolicyHandle::new(policies(RaftTransport::AlwaysGrpc));
        let policy = RaftTransport::AlwaysGrpc.policy();
        let follows = Dialling::new(ConnectOptions::new(), policy.clone(), Some(node.clone()));
        let fixed = Dialling::new(ConnectOptions::new(), policy, None);
        let before = follows.rule();
        node.set(policies(RaftTransport::AlwaysGrpc).service("health", Policy::default().share(0.5)));
        assert!(Arc::ptr_eq(&before, &follows.rule()));
        node.set(policies(RaftTransport::AlwaysIroh));
        assert_eq!(follows.rule().transports(), ["iroh"]);
        assert_eq!(follows.rule().policies.of(VOTE).prefer, ["iroh"]);
        assert_eq!(fixed.rule().transports(), ["grpc"]);
    }
}
