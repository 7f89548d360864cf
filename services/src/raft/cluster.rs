//! The service that forms and changes a cluster.

use polywire::{Context, Status};
use polywire_proto::cluster::v1;

/// Forms and changes a cluster.
#[polywire::service(package = "polywire.cluster.v1", access = "operator")]
pub trait Cluster {
    /// The cluster as the node that is asked knows it.
    #[rpc(idempotent)]
    async fn status(&self, request: v1::StatusRequest) -> Result<v1::StatusResponse, Status>;

    /// Lets a node that is in no cluster form one of its own. `AlreadyExists`, without a change, where it is in one.
    #[rpc(idempotent)]
    async fn init(&self, request: v1::InitRequest) -> Result<v1::InitResponse, Status>;

    /// Lets a node join the cluster of another. The node must hold no data.
    #[rpc(timeout = "30s")]
    async fn join(&self, cx: &Context, request: v1::JoinRequest) -> Result<v1::JoinResponse, Status>;

    /// Makes an invitation, with which one node may join the cluster once. `FailedPrecondition` where the node is in no
    /// cluster.
    async fn invite(&self, cx: &Context, request: v1::InviteRequest) -> Result<v1::InviteResponse, Status>;

    /// Lets a node leave its cluster. It then forms a cluster of its own, without data.
    #[rpc(timeout = "30s")]
    async fn leave(&self, cx: &Context, request: v1::LeaveRequest) -> Result<v1::LeaveResponse, Status>;

    /// Makes a node a member. Any member forwards this to the leader.
    #[rpc(idempotent)]
    async fn add_member(
        &self,
        cx: &Context,
        request: v1::AddMemberRequest,
    ) -> Result<v1::AddMemberResponse, Status>;

    /// Updates the addresses of a member. Any member forwards this to the leader. `NotFound` for an unknown member.
    #[rpc(idempotent)]
    async fn update_member(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status>;

    /// Removes a member. Any member forwards this to the leader. `NotFound` for an unknown member.
    #[rpc(idempotent)]
    async fn remove_member(
        &self,
        cx: &Context,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status>;
}
