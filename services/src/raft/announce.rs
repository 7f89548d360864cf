//! How the members hear where a node is after its start, and find out that it is the one that they know.
//!
//! Two processes may have one identity: a data directory was copied, a volume cloned, a backup restored. Each start of a
//! process draws an incarnation, adds it to those that its data come from (the lineage), and tells it with the addresses.
//! What takes the place of a known run must have the data of that run, and that run must have ended. Whatever else comes
//! under the identity is refused, and stays so: it would vote again where the member has voted, and lack what that has
//! acknowledged.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use polywire::{Context, Status};
use polywire_proto::cluster::v1;
use tokio::time::{Instant, timeout};

use super::{
    Handle, Member, Running,
    cluster::{ClusterClient, ClusterNode, member, others, read_member},
    forward::FORWARDED,
    handle::Leader,
    peers::Peer,
};

/// How long the others may take to hear of a node; that long it does not stand for election.
const HEARING: Duration = Duration::from_secs(1);

/// How long one member may take to tell the leader where another is reached.
const ANNOUNCING: Duration = Duration::from_secs(3);

/// How long the run before may take to show that it has not ended, and the leader to say what it thinks of the new one.
const ALIVE: Duration = Duration::from_millis(600);

/// Says of a refusal that it is for good: another process has the identity.
const CONFLICT: &str = "polywire-conflict";

/// Why this process is kept out of its cluster, where the status says that it is.
pub(super) fn conflict(status: &Status) -> Option<&str> {
    status.metadata().get(CONFLICT).is_some().then(|| status.message())
}

impl ClusterNode {
    /// Tells every member at once where this node is now, also where there is no leader, and hears from them who else is
    /// somewhere else.
    ///
    /// # Errors
    /// A [`conflict`], where one of them says so. That others are not reached is no error: they are told later.
    pub(super) async fn introduce(&self) -> Result<(), Status> {
        let running = self.handle().running()?;
        let request = self.announcement(&running, true);
        let telling = others(&running).into_iter().map(|peer| tell(peer, request.clone()));
        let mut answers: FuturesUnordered<_> = telling.collect();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(answer) => {
                    hear(&running, answer.moved);
                    if answer.decided {
                        // Those that have not answered yet hear of it from the leader.
                        break;
                    }
                }
                Err(status) if conflict(&status).is_some() => return Err(status),
                Err(status) => tracing::debug!(%status, "a member has not heard where this node is"),
            }
        }
        Ok(())
    }

    /// Tells the cluster where this node is reached now, by way of the first member that answers: the leader cannot
    /// tell this node that it leads before it knows that.
    pub(super) async fn announce(&self) -> Result<(), Status> {
        let running = self.handle().running()?;
        let request = self.announcement(&running, false);
        let mut outcome = None;
        for peer in others(&running) {
            let telling = peer.call(|channel| {
                let telling = ClusterClient::new(channel).update_member(request.clone()).timeout(ANNOUNCING);
                async move { telling.await }
            });
            match telling.await {
                Ok(_) => return Ok(()),
                Err(status) if conflict(&status).is_some() => return Err(status),
                Err(status) => outcome = Some(status),
            }
        }
        match outcome {
            Some(status) => Err(status),
            // It is alone, and leads.
            None => self.tell_itself(request).await,
        }
    }

    fn announcement(&self, running: &Running, hint: bool) -> v1::UpdateMemberRequest {
        let own = member(running.id, &running.member(), true);
        let lineage = running.store.lineage().to_vec();
        v1::UpdateMemberRequest { member: Some(own), lineage, hint }
    }

    /// Answers a hint. Where there is a leader it decides, so that of two that come to two members at once one is refused
    /// by both.
    pub(super) async fn heard(
        &self,
        cx: &Context,
        request: v1::UpdateMemberRequest,
    ) -> Result<v1::UpdateMemberResponse, Status> {
        let handle = self.handle();
        let (id, node) = read_member(request.member.clone())?;
        let running = handle.running()?;
        running.admitted()?;
        let forwarded = cx.metadata().get(FORWARDED).is_some();
        let leader = handle.leader(Instant::now()).await;
        let leads = matches!(leader, Ok(Leader::This(_)));
        let verdict = match leader {
            Ok(Leader::Other(leader)) if !forwarded && leader.id() != id => {
                let asking = timeout(ALIVE, forward(&leader, request.clone())).await;
                asking.ok().and_then(|outcome| match outcome {
                    Err(status) if conflict(&status).is_none() => None,
                    outcome => Some(outcome),
                })
            }
            _ => None,
        };
        let decided = leads || verdict.is_some();
        match verdict {
            Some(Ok(())) => {
                if let Some(known) = known(&running, id) {
                    running.peers.follow(id, &known, node);
                }
            }
            Some(Err(status)) => return Err(noted(handle, id, status)),
            None => examine(handle, &running, id, &node, &request.lineage).await?,
        }
        Ok(v1::UpdateMemberResponse { moved: moved(&running), decided })
    }
}

async fn tell(peer: Arc<Peer>, request: v1::UpdateMemberRequest) -> Result<v1::UpdateMemberResponse, Status> {
    let telling = peer.call(|channel| {
        let telling = ClusterClient::new(channel).update_member(request).timeout(HEARING);
        async move { telling.await }
    });
    timeout(HEARING, telling).await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")))
}

async fn forward(leader: &Peer, request: v1::UpdateMemberRequest) -> Result<(), Status> {
    let asking = leader.call(|channel| {
        let asking = ClusterClient::new(channel).update_member(request).metadata(FORWARDED, "1");
        async move { asking.timeout(ALIVE).await }
    });
    asking.await.map(drop)
}

/// Takes up where others are, as a member has heard from themselves.
fn hear(running: &Running, moved: Vec<v1::Moved>) {
    for v1::Moved { member, replaces } in moved {
        let Ok((id, node)) = read_member(member) else { continue };
        match known(running, id) {
            Some(known) if id != running.id && known.incarnation == replaces => {
                running.peers.follow(id, &known, node);
            }
            _ => {}
        }
    }
}

/// Those of which this node has heard and the cluster has not.
fn moved(running: &Running) -> Vec<v1::Moved> {
    let moved = running.peers.moved().into_iter().map(|(id, moved)| v1::Moved {
        member: Some(member(id, &moved.member, true)),
        replaces: moved.replaces.incarnation,
    });
    moved.collect()
}

/// The member as the cluster knows it.
fn known(running: &Running, id: u64) -> Option<Member> {
    running.raft.metrics().borrow().membership_config.membership().get_node(&id).cloned()
}

/// Looks whether what says that it is this member may take the place of what is known of it, and goes by what it says then.
///
/// # Errors
/// A [`conflict`] where it may not; `NotFound` where there is no such member.
pub(super) async fn examine(
    handle: &Handle,
    running: &Running,
    id: u64,
    told: &Member,
    lineage: &[u64],
) -> Result<(), Status> {
    // One after the other: of two that come at once, the second meets the first.
    let _turn = running.examining.lock().await;
    let Some(known) = known(running, id) else {
        return Err(Status::not_found(format!("node {id} is no member of this cluster")));
    };
    let latest = running.peers.latest(id, &known);
    if id == running.id || latest == *told {
        return Ok(());
    }
    if let Some(problem) = contradiction(running, id, &latest, told, lineage).await {
        let mut status = Status::failed_precondition(problem);
        // The key is well-formed.
        let _ = status.metadata_mut().insert(CONFLICT, "1");
        return Err(noted(handle, id, status));
    }
    running.peers.follow(id, &known, told.clone());
    Ok(())
}

/// What keeps the one from being the other, started again.
async fn contradiction(
    running: &Running,
    id: u64,
    known: &Member,
    told: &Member,
    lineage: &[u64],
) -> Option<String> {
    // Versions that draw none can only be believed.
    if known.incarnation == told.incarnation || known.incarnation == 0 || told.incarnation == 0 {
        return None;
    }
    let here = told.targets.join(", ");
    if !lineage.is_empty() && !lineage.contains(&known.incarnation) {
        return Some(format!(
            "the node at {here} has the identity of {known} and not its data: it was started from a copy or a backup of \
             them, and is kept out; start it with an empty data directory, as a node of its own"
        ));
    }
    let before = running.peers.learn(id, known);
    (alive(&before).await == Some(known.incarnation)).then(|| {
        format!(
            "{known} is running, and the node at {here} has its identity: it was started from a copy of its data, and is \
             kept out; start it with an empty data directory, as a node of its own"
        )
    })
}

/// The run that answers there now.
async fn alive(peer: &Peer) -> Option<u64> {
    let asking = peer.call(|channel| {
        let asking = ClusterClient::new(channel).status(v1::StatusRequest {}).timeout(ALIVE);
        async move { asking.await }
    });
    let status = timeout(ALIVE, asking).await.ok()?.ok()?;
    status.this.map(|this| this.incarnation)
}

/// Says in log and health that a second process of this member was refused.
fn noted(handle: &Handle, id: u64, status: Status) -> Status {
    if let Some(problem) = conflict(&status) {
        handle.conflicts().note(id, problem);
    }
    status
}
