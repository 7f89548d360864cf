use std::collections::BTreeMap;

use polywire::{Context, Status};
use polywire_proto::cluster::v1;

use super::{
    admission::{add_member, leaves_itself},
    announce::heard,
    cluster::Cluster,
    handle::Handle,
    invitation::invite,
    join::{Way, join},
    leave::leave,
    lifecycle::Lifecycle,
    member_change,
    member_wire::member,
    metrics::{membership_id, voters as voters_of},
    statement::{check_member, sign_status},
};

/// This node's part in forming a cluster.
#[derive(Clone, Debug)]
pub struct ClusterNode(Lifecycle);

impl ClusterNode {
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self(lifecycle)
    }

    fn handle(&self) -> &Handle {
        &self.0.handle
    }
}

impl Cluster for ClusterNode {
    async fn status(&self, request: v1::StatusRequest) -> Result<v1::StatusResponse, Status> {
        let running = self.handle().running()?;
        let metrics = running.metrics();
        let voters = running.voters().await;
        let nodes = metrics.membership_config.membership().nodes();
        let mut members: BTreeMap<_, _> =
            nodes.map(|(id, node)| (*id, member(*id, node, voters.contains(id)))).collect();
        for (id, problem) in self.handle().conflicts().lately() {
            if let Some(member) = members.get_mut(&id) {
                member.conflict = problem;
            }
        }
        let conflict = running.store.refused().map(|problem| problem.to_string()).unwrap_or_default();
        let this = running.announced(voters.contains(&running.id));
        let (membership_term, membership_index) = membership_id(&metrics);
        let mut status = v1::StatusResponse {
            this: Some(v1::Member { conflict, ..this }),
            initialized: !voters_of(&metrics).is_empty(),
            cluster_id: running.cluster_id(),
            leader_id: metrics.current_leader,
            term: metrics.current_term,
            members: members.into_values().collect(),
            removed: running.is_removed(),
            last_log_index: metrics.last_log_index.unwrap_or_default(),
            applied_index: metrics.last_applied.map(|id| id.index).unwrap_or_default(),
            signature: bytes::Bytes::new(),
            membership_term,
            membership_index,
        };
        if let Some(prover) = running.peers.prover() {
            sign_status(&mut status, &request.challenge, prover.key())?;
        }
        Ok(status)
    }

    async fn init(&self, _: v1::InitRequest) -> Result<v1::InitResponse, Status> {
        let lifecycle = self.0.clone();
        self.0.change(async move { lifecycle.form_new().await }).await?;
        Ok(v1::InitResponse {})
    }

    async fn join(&self, cx: &Context, request: v1::JoinRequest) -> Result<v1::JoinResponse, Status> {
        let way = Way::read(&request)?;
        let joined = join(&self.0, cx, way).await?;
        Ok(v1::JoinResponse { already_member: !joined })
    }

    async fn invite(&self, cx: &Context, request: v1::InviteRequest) -> Result<v1::InviteResponse, Status> {
        let token = invite(self.handle(), cx, &request).await?;
        Ok(v1::InviteResponse { token })
    }

    async fn leave(&self, cx: &Context, _: v1::LeaveRequest) -> Result<v1::LeaveResponse, Status> {
        leave(&self.0, cx).await?;
        Ok(v1::LeaveResponse {})
    }

    async fn add_member(
        &self,
        cx: &Context,
        request: v1::AddMemberRequest,
    ) -> Result<v1::AddMemberResponse, Status> {
        add_member(self.handle(), cx, request).await?;
        Ok(v1::AddMemberResponse {})
    }

    async fn update_member(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status> {
        check_member(request.member.as_ref().unwrap_or(&v1::Member::default()))?;
        if request.hint {
            return heard(self.handle(), cx, request).await;
        }
        member_change::update_member(self.handle(), cx, request).await?;
        Ok(v1::UpdateMemberResponse::default())
    }

    async fn remove_member(
        &self,
        cx: &Context,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status> {
        leaves_itself(cx, &request)?;
        member_change::remove_member(self.handle(), cx, request).await?;
        Ok(v1::RemoveMemberResponse {})
    }
}
