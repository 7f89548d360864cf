//! The health of a node in detail, with reasons.

use polywire::{Health as Registry, NodeState, Status};
use polywire_proto::health::v1;

/// Reports the health of a node, with reasons.
#[polywire::service(package = "polywire.health.v1", access = "operator")]
pub trait Health {
    /// The whole health report: the same as `/readyz?verbose`.
    #[rpc(idempotent)]
    async fn detail(&self, request: v1::DetailRequest) -> Result<v1::DetailResponse, Status>;
}

/// The health of this node, in detail.
#[derive(Clone, Debug)]
pub struct HealthDetail(Registry);

impl HealthDetail {
    /// Reports on this registry.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }
}

impl Health for HealthDetail {
    async fn detail(&self, _: v1::DetailRequest) -> Result<v1::DetailResponse, Status> {
        let report = self.0.report();
        let state = match report.state {
            NodeState::Starting => v1::State::Starting,
            NodeState::Serving => v1::State::Serving,
            NodeState::Draining => v1::State::Draining,
        };
        let component = |(name, outcome): (&String, &Result<(), String>)| v1::Component {
            name: name.clone(),
            ok: outcome.is_ok(),
            reason: outcome.clone().err().unwrap_or_default(),
        };
        let failing = |(name, reason): (&String, &String)| v1::FailingService {
            name: name.clone(),
            reason: reason.clone(),
        };
        let note = |(about, text): (&String, &String)| v1::Note { about: about.clone(), text: text.clone() };
        Ok(v1::DetailResponse {
            serving: report.is_serving(),
            state: state.into(),
            reasons: report.reasons(),
            components: report.components.iter().map(component).collect(),
            failing_services: report.failing_services.iter().map(failing).collect(),
            notes: report.notes.iter().map(note).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_component_that_fails_is_named_with_its_reason() {
        let registry = Registry::new();
        registry.register("disk", || async { Err("read-only".to_owned()) });
        registry.register("clock", || async { Ok(()) });
        registry.set_state(NodeState::Serving);
        registry.note("certificate of grpc", Some("expires soon".to_owned()));
        registry.run_checks(std::time::Duration::from_secs(1)).await;
        let detail = HealthDetail::new(registry).detail(v1::DetailRequest {}).await.unwrap();
        assert!(!detail.serving);
        assert_eq!(detail.state(), v1::State::Serving);
        assert_eq!(detail.reasons, ["disk: read-only"]);
        let shown: Vec<_> =
            detail.components.iter().map(|part| (&*part.name, part.ok, &*part.reason)).collect();
        assert_eq!(shown, [("clock", true, ""), ("disk", false, "read-only")]);
        let note = v1::Note { about: "certificate of grpc".to_owned(), text: "expires soon".to_owned() };
        assert_eq!(detail.notes, [note]);
    }
}
