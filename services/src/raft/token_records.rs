use polywire::{Context, Status};
use polywire_proto::access::v1;

/// What the members of a cluster record of tokens: which are revoked, and how often counted ones were used.
#[polywire::service(package = "polywire.access.v1", access = "member")]
pub trait TokenRecords {
    /// Makes a change. Any member but the leader refuses it.
    async fn change(&self, cx: &Context, request: v1::ChangeRequest) -> Result<v1::ChangeResponse, Status>;
}
