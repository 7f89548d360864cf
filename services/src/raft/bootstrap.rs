//! How nodes that list each other in `cluster.peers` become one cluster by themselves.
//!
//! A node that is in no cluster asks all of its peers. If one of them is in a cluster, the node joins it. If all of them
//! have answered and none is in a cluster, the node with the smallest id forms one, and the others find it. Nodes that
//! list each other therefore form exactly one cluster, in whatever order they start.

use std::time::Duration;

use polywire::{Context, Status, Target};
use polywire_proto::cluster::v1;

use super::{
    ask,
    join::{Way, join},
    lifecycle::Lifecycle,
    metrics::voters,
    reach::Named,
    running::Running,
};

/// How long a peer may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a node waits before it asks again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a join may take.
const JOINING: Duration = Duration::from_secs(30);

/// What the answers of the peers mean for this node.
enum Found {
    /// One of them is in a cluster.
    Cluster(Target),
    /// None of them is, and this node has the smallest id.
    Smallest,
    /// Another node must go first.
    Wait(String),
}

/// Returns once this node is in a cluster.
pub(super) async fn join_or_form(lifecycle: Lifecycle, peers: Vec<Target>) {
    let mut said = String::new();
    loop {
        let step = async {
            let running = lifecycle.handle.running()?;
            if !voters(&running.raft.metrics().borrow()).is_empty() {
                return Ok(None);
            }
            match ask(&running, &peers).await {
                Found::Cluster(target) => {
                    drop(running);
                    let cx = Context::new().with_timeout(JOINING);
                    join(&lifecycle, &cx, Way::to(target)).await?;
                    Ok(None)
                }
                Found::Smallest if running.store.is_lost() => Ok(Some(running.lost())),
                Found::Smallest => lifecycle.form().await.map(|()| None),
                Found::Wait(why) => Ok(Some(why)),
            }
        };
        let outcome: Result<Option<String>, Status> = step.await;
        let why = match outcome {
            Ok(None) => return,
            Ok(Some(why)) => why,
            Err(status) => status.to_string(),
        };
        if why != said {
            tracing::info!(reason = why, "this node is in no cluster yet");
            said = why;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn ask(running: &Running, peers: &[Target]) -> Found {
    let mut smallest = running.id;
    let mut silent = Vec::new();
    for target in peers {
        match status(running, target).await {
            Ok(status) if status.this.as_ref().is_some_and(|this| this.id == running.id) => {}
            Ok(status) if status.initialized => return Found::Cluster(target.clone()),
            Ok(status) => smallest = smallest.min(status.this.map_or(u64::MAX, |this| this.id)),
            Err(status) => silent.push(format!("{target}: {}", status.message())),
        }
    }
    match silent.is_empty() {
        false => Found::Wait(format!("peers do not answer: {}", silent.join("; "))),
        true if smallest == running.id => Found::Smallest,
        true => Found::Wait(format!(
            "waiting for node {smallest}, which has the smallest id, to form the cluster"
        )),
    }
}

async fn status(running: &Running, target: &Target) -> Result<v1::StatusResponse, Status> {
    let asked = ask::ask(target, Named::Near, &running.peers, None, ANSWER, None).await?;
    asked.close.await;
    Ok(asked.status)
}
