//! The old names that clients of blixard, the project that polywire came from, still call: three methods of today's
//! services, served where `compat.blixard` is set.

use polywire::{
    AccessClass, Alias, Channel, Component, ComponentError, Context, Health, Method, NodeBuilder, NodeHandle,
    Parts, ServiceExt as _, ServiceInfo, Status,
};
use polywire_proto::{blixard as old, status::v1 as status};
use polywire_services::status::{NodeStatus, Status as _};

/// Adds the old services and their schemas.
pub(crate) fn old_services(node: NodeBuilder) -> NodeBuilder {
    node.descriptors(old::FILE_DESCRIPTOR_SET).component(OldServices::new)
}

/// The old services, over the node's health and status.
struct OldServices(Vec<Channel>);

impl OldServices {
    fn new(parts: &Parts) -> Self {
        match parts.config.compat.blixard {
            true => Self(services(parts.health.clone(), NodeStatus::new(parts)).into()),
            false => Self(Vec::new()),
        }
    }
}

impl Component for OldServices {
    fn name(&self) -> &'static str {
        "old services"
    }

    fn services(&self) -> Vec<Channel> {
        self.0.clone()
    }

    async fn start(&self, _: NodeHandle) -> Result<(), ComponentError> {
        Ok(())
    }
}

const CLUSTER: ServiceInfo = ServiceInfo::new(
    "blixard.ClusterService",
    "What older clients ask of a cluster.",
    &[
        Method::unary("/blixard.ClusterService/HealthCheck")
            .idempotent()
            .access(AccessClass::Public)
            .docs("Whether the node takes calls."),
        Method::unary("/blixard.ClusterService/GetClusterStatus")
            .idempotent()
            .access(AccessClass::Operator)
            .docs("How the cluster is."),
    ],
);

const NODE: ServiceInfo = ServiceInfo::new(
    "blixard.BlixardService",
    "What older clients ask of a node.",
    &[Method::unary("/blixard.BlixardService/GetRaftStatus")
        .idempotent()
        .access(AccessClass::Operator)
        .docs("How consensus is at this node.")],
);

fn services(health: Health, cluster: NodeStatus) -> [Channel; 2] {
    let node = cluster.clone();
    [
        Alias::new(CLUSTER)
            .function("HealthCheck", move |_, _: old::HealthCheckRequest| {
                std::future::ready(Ok::<_, Status>(health_check(&health)))
            })
            .function("GetClusterStatus", move |cx: Context, _: old::ClusterStatusRequest| {
                let cluster = cluster.clone();
                async move {
                    let seen = cluster.get_cluster_status(&cx, status::GetClusterStatusRequest {}).await?;
                    Ok::<_, Status>(cluster_status(seen))
                }
            })
            .into_channel(),
        Alias::new(NODE)
            .function("GetRaftStatus", move |_, _: old::GetRaftStatusRequest| {
                let node = node.clone();
                async move {
                    Ok::<_, Status>(raft_status(node.get_raft_status(status::GetRaftStatusRequest {}).await?))
                }
            })
            .into_channel(),
    ]
}

fn health_check(health: &Health) -> old::HealthCheckResponse {
    let report = health.report();
    let message = match report.is_serving() {
        true => "serving".to_owned(),
        false => report.reasons().join("; "),
    };
    old::HealthCheckResponse { healthy: report.is_serving(), message }
}

fn cluster_status(seen: status::ClusterStatus) -> old::ClusterStatusResponse {
    let nodes = seen.nodes.into_iter().map(|node| {
        let state = match node.role() {
            status::Role::Leader => old::NodeState::Leader,
            status::Role::Candidate => old::NodeState::Candidate,
            // There were no learners then.
            status::Role::Follower | status::Role::Learner => old::NodeState::Follower,
            status::Role::Unspecified => old::NodeState::Unknown,
        };
        old::NodeInfo {
            id: node.id,
            address: node.grpc_address,
            state: state.into(),
            p2p_node_id: node.iroh_endpoint_id,
            p2p_addresses: node.iroh_direct_addresses,
            p2p_relay_url: node.iroh_relay_url,
        }
    });
    old::ClusterStatusResponse {
        nodes: nodes.collect(),
        leader_id: seen.leader_id.unwrap_or_default(),
        term: seen.term,
    }
}

fn raft_status(node: status::RaftStatus) -> old::GetRaftStatusResponse {
    let state = match node.state() {
        status::Role::Leader => "leader",
        status::Role::Candidate => "candidate",
        status::Role::Follower => "follower",
        status::Role::Learner => "learner",
        status::Role::Unspecified => "stopped",
    };
    old::GetRaftStatusResponse {
        is_leader: node.leader_id == Some(node.node_id),
        node_id: node.node_id,
        leader_id: node.leader_id.unwrap_or_default(),
        term: node.term,
        state: state.to_owned(),
    }
}
