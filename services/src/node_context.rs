//! What the services that report on one node share: where the node is reached, and its part in a cluster.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use polywire::{Component, ComponentError, NodeHandle, Parts, Status};

use crate::{guarded::Guard, local_node::LocalNode, membership::Membership, unclustered};

/// What is known of one node once it has been bound, and once a component has registered its cluster.
#[derive(Default)]
pub(crate) struct NodeContext {
    local_node: OnceLock<LocalNode>,
    membership: OnceLock<Arc<dyn Membership>>,
    guard: OnceLock<Guard>,
}

impl NodeContext {
    /// The context of the node with these parts.
    pub(crate) fn of(parts: &Parts) -> Arc<Self> {
        parts.shared()
    }

    /// The node, which has been bound. The first call draws its incarnation, and later ones return the same.
    pub(crate) fn bind(&self, node: &NodeHandle) -> &LocalNode {
        self.local_node.get_or_init(|| LocalNode::new(node))
    }

    /// The node.
    ///
    /// # Errors
    /// `Unavailable` before it has been bound.
    pub(crate) fn local_node(&self) -> Result<&LocalNode, Status> {
        let unbound = || Status::unavailable("this node is not bound yet").not_processed();
        self.local_node.get().ok_or_else(unbound)
    }

    /// Sets the node's cluster, unless it has one.
    fn join(&self, membership: Arc<dyn Membership>) {
        self.membership.get_or_init(|| membership);
    }

    /// Sets what the node's cluster puts around services that its members call, unless that is set.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "a cluster sets it"))]
    pub(crate) fn guard_by(&self, guard: Guard) {
        self.guard.get_or_init(|| guard);
    }

    /// What the node's cluster puts around services that its members call; `None` in a node without one.
    pub(crate) fn guard(&self) -> Option<&Guard> {
        self.guard.get()
    }

    /// The node's part in a cluster; `None` in a node without one.
    pub(crate) fn membership(&self) -> Option<&dyn Membership> {
        self.membership.get().map(|membership| &**membership)
    }
}

impl fmt::Debug for NodeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeContext")
            .field("local_node", &self.local_node.get())
            .field("has_cluster", &self.membership.get().is_some())
            .finish()
    }
}

/// Lets the node of these parts report on this cluster. A node is in one cluster: the first registration counts.
///
/// Call it where the component is made: a node whose `cluster.peers` are set refuses to start without a cluster.
pub fn register_membership(parts: &Parts, membership: impl Membership) {
    NodeContext::of(parts).join(Arc::new(membership));
}

/// Fills the context in when the node has been bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BindContext;

impl Component for BindContext {
    fn name(&self) -> &'static str {
        "cluster membership"
    }

    async fn start(&self, node: NodeHandle) -> Result<(), ComponentError> {
        let context = NodeContext::of(&node.parts);
        context.bind(&node).warn_of_loopback();
        match context.membership() {
            Some(_) => Ok(()),
            None => unclustered::check(&node.parts.config),
        }
    }
}
