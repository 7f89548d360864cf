//! What a cluster contributes to the services that report on a node: status, directory and monitoring.
//!
//! These services know no consensus. A component that takes part in a cluster passes its [`Membership`] to
//! [`register_membership`](crate::register_membership); a node without one reports on itself alone.

use futures_util::future::BoxFuture;
use polywire::{ConnectOptions, Context, Status, Streaming};
use polywire_proto::status::v1;

use crate::guarded::Proving;
pub use crate::{member::Member, peer_report::PeerReport};

/// A node's part in a cluster.
///
/// # Cancel safety
/// Implementations must be cancel safe: the caller drops a future when its own call is cancelled.
pub trait Membership: Send + Sync + 'static {
    /// The cluster as this node knows it now.
    ///
    /// # Errors
    /// `Unavailable` while the node takes part in no cluster, for example before it has started.
    fn view(&self) -> Result<MembershipView, Status>;

    /// How the other members answer this node's calls, in the order of their ids; empty where it makes none.
    fn peer_reports(&self) -> Vec<PeerReport>;

    /// Answers [`get_cluster_status`](crate::status::Status::get_cluster_status).
    fn cluster_status<'a>(
        &'a self,
        cx: &'a Context,
        request: v1::GetClusterStatusRequest,
    ) -> BoxFuture<'a, Result<v1::ClusterStatus, Status>>;

    /// Answers [`get_raft_status`](crate::status::Status::get_raft_status).
    fn raft_status(&self) -> BoxFuture<'_, Result<v1::RaftStatus, Status>>;

    /// Answers [`watch_cluster`](crate::status::Status::watch_cluster).
    ///
    /// # Errors
    /// As for [`view`](Self::view).
    fn watch(&self) -> Result<Streaming<v1::ClusterStatus>, Status>;
}

/// A cluster as one of its members knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MembershipView {
    /// The cluster's id; empty where there is none.
    pub cluster_id: String,
    /// Rises with every change of the members and of their addresses.
    pub revision: u64,
    /// Whether this node leads, and so calls all others all the time.
    pub leads: bool,
    /// Why the cluster keeps this node out; `None` where it does not.
    pub refused: Option<String>,
    /// The other members with their ids, in the order of these.
    pub others: Vec<(u64, Member)>,
    /// How this node dials the others.
    pub connect_options: ConnectOptions,
    /// How its calls prove who calls.
    pub(crate) proving: Option<Proving>,
}

impl MembershipView {
    /// A view of these other members, with nothing else known.
    pub fn new(mut others: Vec<(u64, Member)>, connect_options: ConnectOptions) -> Self {
        others.sort_by_key(|(id, _)| *id);
        let cluster_id = String::new();
        Self { cluster_id, revision: 0, leads: false, refused: None, others, connect_options, proving: None }
    }
}
