use std::time::Duration;

use polywire::{Status, Target};
use polywire_proto::directory::v1::{self, ListRequest, ListResponse};

use crate::member::Member;

/// Lists what a node serves.
#[polywire::service(package = "polywire.directory.v1", access = "operator")]
pub trait Directory {
    /// Lists the services, and on request the members of the cluster.
    #[rpc(idempotent)]
    async fn list(&self, request: ListRequest) -> Result<ListResponse, Status>;
}

/// How long an answer stays valid. A caller that cannot reach a member asks again at once, so this bounds only how long a
/// new member goes unnoticed.
pub(super) const TTL: Duration = Duration::from_secs(5);

/// A member as the directory lists it.
pub(super) fn node(member: &Member) -> v1::Node {
    let targets = member.targets.iter().filter_map(|text| text.parse::<Target>().ok());
    let endpoints = targets.filter(|target| !target.is_local()).map(|target| v1::Endpoint {
        transport: target.transport().to_owned(),
        target: target.to_string(),
        alpns: Vec::new(),
    });
    v1::Node {
        id: member.endpoint_id.clone(),
        name: member.name.clone(),
        endpoints: endpoints.collect(),
        incarnation: member.incarnation,
        conflict: String::new(),
    }
}
