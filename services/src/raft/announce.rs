//! How a node announces its addresses after a start, and how the other members verify that it is the member they know.
//!
//! Two processes may have one identity: a data directory was copied, a volume cloned, a backup restored. Each start of a
//! process draws an incarnation, appends it to the incarnations that had its data before (the lineage), and announces it
//! with the addresses. A run that replaces a known run must have the data of that run, and that run must have ended. Any
//! other process with the identity is refused for good: it would vote a second time in a term, and lack entries that the
//! member has acknowledged.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use polywire::{Code, Context, Status};
use polywire_proto::cluster::v1;
use tokio::time::{Instant, timeout};

use super::{
    cluster::ClusterClient,
    examine::{ALIVE, conflict, examine, noted},
    forward::{FORWARDED, is_marked},
    handle::{Handle, Leader},
    member_change::update_member,
    member_wire::{member, read_member},
    peer::Peer,
    running::Running,
    statement::check_member,
};

/// How long the other members may take to answer an announcement; the node does not stand for election before.
const HEARING: Duration = Duration::from_secs(1);

/// How long a node that is its whole cluster may take to write its own address.
const ALONE: Duration = Duration::from_secs(30);

/// How long one member may take to forward an announcement to the leader.
const ANNOUNCING: Duration = Duration::from_secs(3);

/// Announces this node's addresses to all members at once, also without a leader, and learns the new addresses of other
/// members from their answers.
///
/// # Errors
/// A [`conflict`] that a member reports. Unreachable members are no error: they hear of it later.
pub(super) async fn introduce(handle: &Handle) -> Result<(), Status> {
    let running = handle.running()?;
    let request = announcement(&running, true);
    let telling = running.others().into_iter().map(|peer| tell(peer, request.clone()));
    let mut answers: FuturesUnordered<_> = telling.collect();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                hear(&running, answer.moved);
                if answer.decided {
                    // The leader tells the members that have not answered yet.
                    break;
                }
            }
            Err(status) if conflict(&status).is_some() => return Err(status),
            Err(status) => tracing::debug!(%status, "a member could not be told this node's address"),
        }
    }
    Ok(())
}

/// Announces this node's addresses to the cluster through the first member that answers: the leader cannot reach this
/// node before it knows them.
pub(super) async fn announce(handle: &Handle) -> Result<(), Status> {
    let running = handle.running()?;
    let request = announcement(&running, false);
    let mut outcome = None;
    for peer in running.others() {
        let telling = peer.call(|channel| {
            let telling = ClusterClient::new(channel).update_member(request.clone()).timeout(ANNOUNCING);
            async move { telling.await }
        });
        match telling.await {
            Ok(_) => return Ok(()),
            Err(status) if conflict(&status).is_some() => return Err(status),
            // What a leader answers says more than that a member does not know this node: its log may be behind.
            Err(status) => {
                outcome = outcome.filter(|_| status.code() == Code::PermissionDenied).or(Some(status))
            }
        }
    }
    match outcome {
        Some(status) => Err(status),
        // It is alone, and leads.
        None => update_member(handle, &Context::new().with_timeout(ALONE), request).await,
    }
}

fn announcement(running: &Running, hint: bool) -> v1::UpdateMemberRequest {
    let own = running.announced(true);
    let lineage = running.store.lineage().to_vec();
    v1::UpdateMemberRequest { member: Some(own), lineage, hint }
}

/// Answers a hint. The leader decides where there is one, so that of two processes that ask two members at once, both
/// members refuse the same one.
pub(super) async fn heard(
    handle: &Handle,
    cx: &Context,
    request: v1::UpdateMemberRequest,
) -> Result<v1::UpdateMemberResponse, Status> {
    let (id, node) = read_member(request.member.clone())?;
    let signature = request.member.as_ref().map(|member| member.signature.clone()).unwrap_or_default();
    let running = handle.running()?;
    running.admitted()?;
    let forwarded = is_marked(cx, FORWARDED);
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
            if let Some(known) = running.known(id) {
                running.peers.follow(id, &known, node, signature);
            }
        }
        Some(Err(status)) => return Err(noted(handle, id, status)),
        None => examine(handle, &running, &request).await?,
    }
    Ok(v1::UpdateMemberResponse { moved: moved(&running), decided })
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

/// Takes over the addresses that other members have announced to this member.
fn hear(running: &Running, moved: Vec<v1::Moved>) {
    for v1::Moved { member, replaces } in moved {
        let Some(member) = member.filter(|member| check_member(member).is_ok()) else { continue };
        let signature = member.signature.clone();
        let Ok((id, node)) = read_member(Some(member)) else { continue };
        match running.known(id) {
            Some(known) if id != running.id && known.incarnation == replaces => {
                running.peers.follow(id, &known, node, signature);
            }
            _ => {}
        }
    }
}

/// The members whose new addresses this node knows and the cluster does not.
fn moved(running: &Running) -> Vec<v1::Moved> {
    let moved = running.peers.moved().into_iter().map(|(id, moved)| v1::Moved {
        member: Some(v1::Member { signature: moved.signature, ..member(id, &moved.member, true) }),
        replaces: moved.replaces.incarnation,
    });
    moved.collect()
}
