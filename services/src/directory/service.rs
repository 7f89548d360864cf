use std::time::Duration;

use polywire::{Status, Target};
use polywire_proto::directory::v1::{self, ListRequest, ListResponse};

use crate::member::Member;

/// Tells what a node serves.
#[polywire::service(package = "polywire.directory.v1")]
pub trait Directory {
    /// What is served now.
    #[rpc(idempotent)]
    async fn list(&self, request: ListRequest) -> Result<ListResponse, Status>;
}

/// The time for which an answer may be cached. A client that cannot reach a moved member refreshes at once, so this bounds
/// the time until a new member is noticed.
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
