use futures_util::future::BoxFuture;
use polywire::{Context, Status, Streaming};
use polywire_proto::status::v1;

use super::{handle::Handle, key::read_key, metrics::leads, proof::Signing, status};
use crate::{
    guarded::Proving,
    membership::{Membership, MembershipView},
    peer_report::PeerReport,
};

/// This node's part in the Raft cluster, for the services that report on the node.
#[derive(Clone, Debug)]
pub(super) struct RaftMembership(pub(super) Handle);

impl Membership for RaftMembership {
    fn view(&self) -> Result<MembershipView, Status> {
        let running = self.0.running()?;
        let metrics = running.metrics();
        let nodes = metrics.membership_config.membership().nodes();
        let others = nodes.filter(|(id, _)| **id != running.id);
        let others = others.map(|(id, member)| (*id, member.clone())).collect();
        let mut view = MembershipView::new(others, running.peers.options().clone());
        view.cluster_id = running.cluster_id();
        view.proving = running.peers.prover().cloned().map(|prover| {
            Proving::new(move |channel, member| match read_key(&member.endpoint_id) {
                Some(key) => Signing::channel(channel, prover.clone(), key),
                None => channel,
            })
        });
        view.revision = metrics.membership_config.log_id().map_or(0, |id| id.index);
        view.leads = leads(&metrics);
        view.refused = running.store.refused().map(|problem| problem.to_string());
        Ok(view)
    }

    fn peer_reports(&self) -> Vec<PeerReport> {
        self.0.peers()
    }

    fn cluster_status<'a>(
        &'a self,
        cx: &'a Context,
        request: v1::GetClusterStatusRequest,
    ) -> BoxFuture<'a, Result<v1::ClusterStatus, Status>> {
        Box::pin(status::cluster_status(&self.0, cx, request))
    }

    fn raft_status(&self) -> BoxFuture<'_, Result<v1::RaftStatus, Status>> {
        Box::pin(status::raft_status(&self.0))
    }

    fn watch(&self) -> Result<Streaming<v1::ClusterStatus>, Status> {
        status::watch(&self.0)
    }
}
