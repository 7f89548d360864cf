//! What users have: nodes with everything that a node has, whose Raft calls each other over a transport.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use polywire::{ConnectOptions, Node, Target, config::Loader};
use polywire_proto::cluster::v1::JoinRequest;
use polywire_services::raft::{ClusterClient, Handle, RaftComponent};

use super::{Cluster, MEMBERS};
use crate::contestant::Result;

/// Starts the nodes, with their data below this directory. `rule` is `transport.strategy.raft_transport`.
pub(super) async fn start(name: &'static str, rule: &str, directory: &Path) -> Result<Cluster> {
    let mut nodes: Vec<Node> = Vec::with_capacity(MEMBERS);
    let mut first = None;
    for place in 0..MEMBERS {
        let (node, handle) = node(rule, &directory.join(format!("{rule}-{place}"))).await?;
        let target = |node: &Node| node.targets().get("grpc").map(str::to_owned).ok_or("no gRPC");
        if let Some(seed) = nodes.first() {
            let own: Target = target(&node)?.parse()?;
            let channel = own.connect(&ConnectOptions::new()).await?;
            ClusterClient::new(channel)
                .join(JoinRequest { seed: target(seed)?, ..JoinRequest::default() })
                .await?;
        }
        first.get_or_insert(handle);
        nodes.push(node);
    }
    // Whoever was there alone leads, and goes on to.
    let first = first.ok_or("a cluster has members")?.running()?;
    if first.raft.metrics().borrow().current_leader != Some(first.id) {
        return Err(format!("{name}: the first node does not lead").into());
    }
    Ok(Cluster { name, leader: first.raft.clone(), _members: Box::new(nodes) })
}

async fn node(rule: &str, data: &Path) -> Result<(Node, Handle)> {
    let text = format!(
        "node.data_dir = '{}'\nhttp.enabled = false\ntransport.grpc.bind_address = '127.0.0.1:0'\n\
         transport.strategy.raft_transport = '{rule}'",
        data.display()
    );
    let config = Loader::new().text("bench", &text).load()?.config;
    let handle = Arc::new(OnceLock::new());
    let made = handle.clone();
    let builder = Node::builder().config(config).component(move |parts| {
        let component = RaftComponent::new(parts);
        made.get_or_init(|| component.handle().clone());
        component
    });
    let node = builder.bind().await?;
    let handle = handle.get().cloned().ok_or("the node has no cluster")?;
    Ok((node, handle))
}
