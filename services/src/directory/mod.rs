//! The directory: what a node and the other members of its cluster serve, over which transports and where.

mod fingerprint;
mod members;
mod service;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use polywire::{Exposure, NodeHandle, Parts, Router, Service as _, ServiceInfo, Status};
use polywire_proto::directory::v1::{self, ListRequest, ListResponse};

pub use self::service::{Directory, DirectoryClient, DirectoryServer};
use self::{
    fingerprint::Fingerprints,
    members::Members,
    service::{TTL, node},
};
use crate::{local_node::LocalNode, membership::MembershipView, node_context::NodeContext};

/// The directory of this node, and of the cluster that it is in. Clones share it.
#[derive(Clone)]
pub struct NodeDirectory(Arc<NodeServices>);

struct NodeServices {
    router: Router,
    exposure: Exposure,
    fingerprints: Fingerprints,
    context: Arc<NodeContext>,
    members: Members,
    /// The services without their endpoints, with the change count of the router that they belong to.
    services: Mutex<Option<(u64, Vec<v1::Service>)>>,
}

impl NodeDirectory {
    /// Lists the services that the node of these parts has, over the transports that expose them, and the members of its
    /// cluster, where it has one.
    ///
    /// # Panics
    /// When a schema of the parts cannot be read: it was compiled in, so the binary is wrong.
    pub fn new(parts: &Parts) -> Self {
        Self(Arc::new(NodeServices {
            router: parts.router.clone(),
            exposure: parts.exposure.clone(),
            fingerprints: Fingerprints::new(&parts.descriptors),
            context: NodeContext::of(parts),
            members: Members::default(),
            services: Mutex::default(),
        }))
    }

    /// Every service, where the node is reached now.
    fn services(&self, local: Option<(&NodeHandle, &v1::Node)>) -> Vec<v1::Service> {
        let mut services = self.known_services();
        for service in &mut services {
            let served = |endpoint: &&v1::Endpoint| service.transports.contains(&endpoint.transport);
            let led = |(node, endpoint): (&NodeHandle, &v1::Endpoint)| v1::Endpoint {
                alpns: node.alpns(&endpoint.transport, &service.name),
                ..endpoint.clone()
            };
            let endpoints = local.into_iter().flat_map(|(node, told)| {
                told.endpoints.iter().filter(served).map(move |endpoint| led((node, endpoint)))
            });
            service.endpoints = endpoints.collect();
        }
        services
    }

    /// Every service without its endpoints. Schemas are hashed once for each change of the router.
    fn known_services(&self) -> Vec<v1::Service> {
        let changes = *self.0.router.changes().borrow();
        let mut known = self.0.services.lock();
        if known.as_ref().is_none_or(|(of, _)| *of != changes) {
            *known = Some((changes, self.0.router.services().iter().map(|info| self.entry(info)).collect()));
        }
        known.iter().flat_map(|(_, services)| services.clone()).collect()
    }

    fn entry(&self, info: &ServiceInfo) -> v1::Service {
        let methods = info.methods().iter().map(|method| v1::Method {
            name: method.name().to_owned(),
            client_streaming: method.shape().streams_requests(),
            server_streaming: method.shape().streams_responses(),
            idempotent: method.is_idempotent(),
            documentation: method.documentation().to_owned(),
            access: method.access_class().name().to_owned(),
        });
        v1::Service {
            name: info.name().to_owned(),
            documentation: info.documentation().to_owned(),
            methods: methods.collect(),
            transports: self.0.exposure.transports(info.name()).map(str::to_owned).collect(),
            version: format!("v{}", info.major_version()),
            fingerprint: self.0.fingerprints.of(info),
            endpoints: Vec::new(),
        }
    }
}

impl Directory for NodeDirectory {
    async fn list(&self, request: ListRequest) -> Result<ListResponse, Status> {
        let local = self.0.context.local_node().ok();
        let view = self.0.context.membership().and_then(|membership| membership.view().ok());
        let mut node = local.map(own_node);
        if let Some((node, problem)) = node.as_mut().zip(view.as_ref().and_then(|view| view.refused.clone()))
        {
            node.conflict = problem;
        }
        let services = self.services(local.map(LocalNode::node).zip(node.as_ref()));
        let cluster = match view.zip(local) {
            Some((view, local)) => {
                let mut cluster = cluster(&view);
                if request.members {
                    cluster.members = self.0.members.ask(local.node(), view).await;
                }
                Some(cluster)
            }
            None => None,
        };
        let ttl_ms = u64::try_from(TTL.as_millis()).unwrap_or(u64::MAX);
        Ok(ListResponse { services, node, ttl_ms, cluster })
    }
}

fn own_node(local: &LocalNode) -> v1::Node {
    let mut node = node(&local.member());
    for endpoint in &mut node.endpoints {
        // ALPNs of a single service are listed with that service.
        endpoint.alpns = local.node().alpns(&endpoint.transport, "");
    }
    node
}

/// The cluster without its members.
fn cluster(view: &MembershipView) -> v1::Cluster {
    v1::Cluster { id: view.cluster_id.clone(), revision: view.revision, members: Vec::new() }
}

impl fmt::Debug for NodeDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeDirectory").field("services", &self.0.router).finish_non_exhaustive()
    }
}
