//! The service that forms and changes a cluster.

use polywire::{Context, Status};
use polywire_proto::cluster::v1;

/// Forms and changes a cluster.
#[polywire::service(package = "polywire.cluster.v1")]
pub trait Cluster {
    /// How the cluster is, as the node that is asked knows it.
    #[rpc(idempotent)]
    async fn status(&self, request: v1::StatusRequest) -> Result<v1::StatusResponse, Status>;

    /// Tells a node that is in no cluster to form one of its own. `AlreadyExists` where it is in one: then nothing was
    /// done.
    #[rpc(idempotent)]
    async fn init(&self, request: v1::InitRequest) -> Result<v1::InitResponse, Status>;

    /// Tells a node to join the cluster of another. It must hold no data of its own.
    #[rpc(timeout = "30s")]
    async fn join(&self, cx: &Context, request: v1::JoinRequest) -> Result<v1::JoinResponse, Status>;

    /// Tells a node to leave its cluster. It is one of its own then, without data.
    #[rpc(timeout = "30s")]
    async fn leave(&self, cx: &Context, request: v1::LeaveRequest) -> Result<v1::LeaveResponse, Status>;

    /// Makes a node a member; whichever member is asked tells the leader.
    #[rpc(idempotent)]
    async fn add_member(
        &self,
        cx: &Context,
        request: v1::AddMemberRequest,
    ) -> Result<v1::AddMemberResponse, Status>;

    /// Tells where a member is reached now; whichever member is asked tells the leader. `NotFound` where there is no
    /// such member.
    #[rpc(idempotent)]
    async fn update_member(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status>;

    /// Takes a member out of the cluster; whichever member is asked tells the leader. `NotFound` where there is no such
    /// member.
    #[rpc(idempotent)]
    async fn remove_member(
        &self,
        cx: &Context,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status>;
}
