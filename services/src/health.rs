//! The standard gRPC health service, over every transport.

use futures_util::stream::unfold;
use polywire::{Health as Registry, NodeState, Router, Service, Status, Streaming, Truncated};
use polywire_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus,
};
use tokio::sync::watch;

/// Reports whether the node and its services take calls. Source:
/// [gRPC health checking](https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
#[polywire::service(package = "grpc.health.v1", access = "public")]
pub trait Health {
    /// The status of one service; the empty name stands for the node. `NotFound` for an unknown service.
    #[rpc(idempotent)]
    async fn check(&self, request: HealthCheckRequest) -> Result<HealthCheckResponse, Status>;

    /// The status of every service, and of the node under the empty name.
    #[rpc(idempotent)]
    async fn list(&self, request: HealthListRequest) -> Result<HealthListResponse, Status>;

    /// Streams the status of one service, now and at each change; `SERVICE_UNKNOWN` while there is no such service.
    /// Ends when the node drains, after a last `NOT_SERVING`.
    #[rpc(idempotent)]
    async fn watch(&self, request: HealthCheckRequest) -> Result<Streaming<HealthCheckResponse>, Status>;
}

/// The health of this node, and of the services that its router has.
#[derive(Clone, Debug)]
pub struct NodeHealth {
    registry: Registry,
    router: Router,
}

impl NodeHealth {
    /// Reports the registry's state for the services of the router.
    pub fn new(registry: Registry, router: Router) -> Self {
        Self { registry, router }
    }

    fn status(&self, service: &str) -> ServingStatus {
        let report = self.registry.report();
        let serving = if service.is_empty() {
            report.is_serving()
        } else if self.router.services().iter().any(|info| info.name() == service) {
            report.is_service_serving(service)
        } else {
            return ServingStatus::ServiceUnknown;
        };
        if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

impl Health for NodeHealth {
    async fn check(&self, request: HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
        match self.status(&request.service) {
            ServingStatus::ServiceUnknown => {
                Err(Status::not_found(format!("service {:?} not found", Truncated(&request.service))))
            }
            status => Ok(response(status)),
        }
    }

    async fn list(&self, _: HealthListRequest) -> Result<HealthListResponse, Status> {
        let services = self.router.services();
        let names = services.iter().map(|info| info.name()).chain([""]);
        let statuses = names.map(|name| (name.to_owned(), response(self.status(name)))).collect();
        Ok(HealthListResponse { statuses })
    }

    async fn watch(&self, request: HealthCheckRequest) -> Result<Streaming<HealthCheckResponse>, Status> {
        let watch = HealthWatch {
            health: self.clone(),
            service: request.service,
            reports: self.registry.watch(),
            services: self.router.changes(),
            said: None,
        };
        Ok(Streaming::new(unfold(watch, |mut watch| async move {
            let status = watch.next().await?;
            Some((Ok(response(status)), watch))
        })))
    }
}

/// One watcher and the last status that it was sent.
struct HealthWatch {
    health: NodeHealth,
    service: String,
    reports: watch::Receiver<polywire::HealthReport>,
    services: watch::Receiver<u64>,
    said: Option<ServingStatus>,
}

impl HealthWatch {
    /// The next status that differs from the last; `None` once the node drains and that has been said.
    async fn next(&mut self) -> Option<ServingStatus> {
        loop {
            let draining = self.reports.borrow_and_update().state == NodeState::Draining;
            self.services.borrow_and_update();
            let status = self.health.status(&self.service);
            if self.said != Some(status) {
                self.said = Some(status);
                return self.said;
            }
            if draining {
                return None;
            }
            let changed = tokio::select! {
                changed = self.reports.changed() => changed,
                changed = self.services.changed() => changed,
            };
            changed.ok()?;
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> (Registry, Router, HealthClient) {
        let (registry, router) = (Registry::new(), Router::new());
        router.add(HealthServer::new(NodeHealth::new(registry.clone(), router.clone())));
        (registry, router.clone(), HealthClient::new(router))
    }

    fn ask(service: &str) -> HealthCheckRequest {
        HealthCheckRequest { service: service.to_owned() }
    }

    #[tokio::test]
    async fn a_check_follows_the_nodes_state() {
        let (registry, _, client) = node();
        for (state, expected) in [
            (NodeState::Starting, ServingStatus::NotServing),
            (NodeState::Serving, ServingStatus::Serving),
            (NodeState::Draining, ServingStatus::NotServing),
        ] {
            registry.set_state(state);
            for service in ["", "grpc.health.v1.Health"] {
                let answer = client.check(ask(service)).await.unwrap();
                assert_eq!(answer.status(), expected, "{state:?} {service:?}");
            }
        }
        let unknown = client.check(ask(&"none".repeat(1_000))).await.unwrap_err();
        assert_eq!(unknown.code(), polywire::Code::NotFound);
        assert!(unknown.message().len() < 200, "{unknown}");
    }

    #[tokio::test]
    async fn a_failing_service_does_not_fail_the_node() {
        let (registry, _, client) = node();
        registry.set_state(NodeState::Serving);
        registry.set_service("grpc.health.v1.Health", Err("tired".to_owned()));
        let statuses = client.list(HealthListRequest {}).await.unwrap().statuses;
        assert_eq!(statuses[""].status(), ServingStatus::Serving);
        assert_eq!(statuses["grpc.health.v1.Health"].status(), ServingStatus::NotServing);
    }

    #[tokio::test]
    async fn a_watch_pushes_changes_and_ends_with_the_drain() {
        let (registry, router, client) = node();
        registry.set_state(NodeState::Serving);
        let mut watch = client.watch(ask("grpc.health.v1.Health")).await.unwrap();
        let mut next = async || watch.message().await.unwrap().map(|answer| answer.status());
        assert_eq!(next().await, Some(ServingStatus::Serving));
        router.remove("grpc.health.v1.Health");
        assert_eq!(next().await, Some(ServingStatus::ServiceUnknown));
        router.add(HealthServer::new(NodeHealth::new(registry.clone(), router.clone())));
        assert_eq!(next().await, Some(ServingStatus::Serving));
        registry.set_state(NodeState::Draining);
        assert_eq!(next().await, Some(ServingStatus::NotServing));
        assert_eq!(next().await, None);
    }
}
