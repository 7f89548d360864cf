//! The status of a node's cluster and of its consensus.

use std::sync::Arc;

use futures_util::stream;
use polywire::{Context, Health, Parts, Status as CallStatus, Streaming};
use polywire_proto::status::v1;
use url::Url;

use crate::{draining::draining, member::Member, node_context::NodeContext};

/// Reports on the cluster and its consensus.
#[polywire::service(package = "polywire.status.v1", access = "operator")]
pub trait Status {
    /// The cluster as its leader sees it, or as this node sees it while no leader is reachable.
    #[rpc(idempotent)]
    async fn get_cluster_status(
        &self,
        cx: &Context,
        request: v1::GetClusterStatusRequest,
    ) -> Result<v1::ClusterStatus, CallStatus>;

    /// The state of consensus at this node. `Unimplemented` in a node without a cluster.
    #[rpc(idempotent)]
    async fn get_raft_status(&self, request: v1::GetRaftStatusRequest) -> Result<v1::RaftStatus, CallStatus>;

    /// Streams the cluster as this node sees it, now and after each change of leader, term, role or member. Ends when
    /// the node drains, and with `Unavailable` when its Raft fails.
    #[rpc(idempotent)]
    async fn watch_cluster(
        &self,
        request: v1::WatchClusterRequest,
    ) -> Result<Streaming<v1::ClusterStatus>, CallStatus>;
}

/// The status of one node and of its cluster. A node without a cluster reports on itself.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    context: Arc<NodeContext>,
    health: Health,
}

impl NodeStatus {
    /// Reports on the node of these parts.
    pub fn new(parts: &Parts) -> Self {
        Self { context: NodeContext::of(parts), health: parts.health.clone() }
    }

    /// This node as the only one there is, in no cluster.
    fn alone(&self) -> Result<v1::ClusterStatus, CallStatus> {
        let member = self.context.local_node()?.member();
        let id = member.id().unwrap_or_default();
        let node = v1::Node { id, health: v1::MemberHealth::Ok.into(), ..describe(&member) };
        Ok(v1::ClusterStatus { nodes: vec![node], seen_by: id, ..v1::ClusterStatus::default() })
    }
}

impl Status for NodeStatus {
    async fn get_cluster_status(
        &self,
        cx: &Context,
        request: v1::GetClusterStatusRequest,
    ) -> Result<v1::ClusterStatus, CallStatus> {
        match self.context.membership() {
            Some(membership) => membership.cluster_status(cx, request).await,
            None => self.alone(),
        }
    }

    async fn get_raft_status(&self, _: v1::GetRaftStatusRequest) -> Result<v1::RaftStatus, CallStatus> {
        match self.context.membership() {
            Some(membership) => membership.raft_status().await,
            None => {
                Err(CallStatus::unimplemented("this node has no cluster, and so no Raft").not_processed())
            }
        }
    }

    async fn watch_cluster(
        &self,
        _: v1::WatchClusterRequest,
    ) -> Result<Streaming<v1::ClusterStatus>, CallStatus> {
        if let Some(membership) = self.context.membership() {
            return membership.watch();
        }
        let first = Some(self.alone()?);
        Ok(Streaming::new(stream::unfold((first, self.health.clone()), |(first, health)| async move {
            match first {
                Some(status) => Some((Ok(status), (None, health))),
                // Nothing changes in a node that is in no cluster.
                None => {
                    draining(&health).await;
                    None
                }
            }
        })))
    }
}

/// A member's name and addresses, as its targets have them.
pub(crate) fn describe(member: &Member) -> v1::Node {
    let grpc = ["grpc", "grpcs"].into_iter().find_map(|scheme| member.target(scheme)).map(address);
    let iroh = member.target("iroh").and_then(|target| Url::parse(target).ok());
    let hints = |name: &'static str| {
        let pairs = iroh.iter().flat_map(Url::query_pairs);
        pairs.filter(move |(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    v1::Node {
        name: member.name.clone(),
        grpc_address: grpc.unwrap_or_default().to_owned(),
        iroh_endpoint_id: iroh.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned(),
        iroh_direct_addresses: hints("addr").collect(),
        iroh_relay_url: hints("relay").next().unwrap_or_default(),
        ..v1::Node::default()
    }
}

fn address(target: &str) -> &str {
    target.split_once("://").map_or(target, |(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_member_is_reached_is_read_from_its_targets() {
        let member = Member {
            name: "one".to_owned(),
            endpoint_id: "abc".to_owned(),
            targets: vec![
                "grpcs://192.0.2.1:7001".to_owned(),
                "iroh://abc?addr=192.0.2.1:4433&addr=[2001:db8::1]:4433&relay=https://relay.example/"
                    .to_owned(),
            ],
            incarnation: 0,
        };
        let node = describe(&member);
        assert_eq!(node.grpc_address, "192.0.2.1:7001");
        assert_eq!(node.iroh_endpoint_id, "abc");
        assert_eq!(node.iroh_direct_addresses, ["192.0.2.1:4433", "[2001:db8::1]:4433"]);
        assert_eq!(node.iroh_relay_url, "https://relay.example/");
        assert_eq!(describe(&Member::default()), v1::Node::default());
    }
}
