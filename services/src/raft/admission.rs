//! How a node is let into the cluster, and what it may do to leave it.

use std::{sync::Arc, time::Duration};

use polywire::{Context, Status, Target};
use polywire_proto::cluster::v1;

use super::{
    ask::ask,
    forward::{FORWARDED, Refusal, is_marked},
    handle::Handle,
    key::{Key, read_key, shown},
    member_change,
    proof::proven,
    reach::{self, Named},
    running::Running,
    statement::check_member,
};
use crate::member::id;

/// Marks the call of a member that leaves: it may remove itself.
pub(super) const LEAVING: &str = "polywire-leaving";

/// How long the node may take to answer the leader before it is added.
const ANSWER: Duration = Duration::from_secs(5);

/// Adds a node that has signed where it is reached. The leader reaches it and has its key proved before it changes
/// anything.
///
/// # Errors
/// `Unauthenticated` for what the node has not signed; `InvalidArgument` if no target of the node may be dialled;
/// `FailedPrecondition` if the leader cannot reach it.
pub(super) async fn add_member(
    handle: &Handle,
    cx: &Context,
    request: v1::AddMemberRequest,
) -> Result<(), Status> {
    let member = request.member.clone().unwrap_or_default();
    check_member(&member)?;
    let key =
        read_key(&member.endpoint_id).ok_or_else(|| Status::invalid_argument("invalid member: no key"))?;
    let running = handle.running()?;
    // What another member forwards, it has checked. The mark alone proves no member.
    let is_forwarded = is_marked(cx, FORWARDED);
    let named = match is_forwarded && proven(cx).is_some_and(|key| handle.is_member(&key)) {
        true => Named::Near,
        false => Named::by(cx, running.is_closed()),
    };
    let targets = dialable(&member, named).await?;
    let admit = |running: Arc<Running>| {
        let (targets, by) = (targets.clone(), cx.time_left().map_or(ANSWER, |left| left.min(ANSWER)));
        async move { reached(&running, &targets, named, key, by).await.map_err(Refusal::Status) }
    };
    member_change::add_member(handle, cx, request, admit).await
}

/// The targets that may be dialled on the word of this caller. All are, or the node is refused: the others could not be
/// dropped from what it has signed.
async fn dialable(member: &v1::Member, named: Named) -> Result<Vec<Target>, Status> {
    let mut targets = Vec::new();
    for text in &member.targets {
        // This node may lack the transport of a target, or be where a local one means nothing.
        let Ok(target) = text.parse::<Target>() else { continue };
        if let Err(problem) = reach::check(&target, named).await {
            tracing::warn!(
                problem,
                node = member.endpoint_id,
                "a joining node names a target that is not dialled"
            );
            return Err(Status::invalid_argument(
                "the joining node announces a target that leads to the member itself; expected addresses of its own \
                 (cluster.advertise)",
            )
            .not_processed());
        }
        if !target.is_local() {
            targets.push(target);
        }
    }
    Ok(targets)
}

/// Returns once the node with this key has answered at one of these targets.
async fn reached(
    running: &Running,
    targets: &[Target],
    named: Named,
    key: Key,
    limit: Duration,
) -> Result<(), Status> {
    for target in targets {
        let asking = tokio::time::timeout(limit, ask(target, named, &running.peers, Some(key), limit, None));
        match asking.await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))) {
            Ok(asked) => {
                asked.close.await;
                return Ok(());
            }
            Err(status) => {
                tracing::info!(%target, %status, node = shown(&key), "a joining node does not answer there");
            }
        }
    }
    Err(Status::failed_precondition(
        "the joining node is unreachable from the leader, or another node answers at its targets",
    ))
}

/// Checks that a member which says that it leaves, and is allowed this call only because of that, removes itself and no other
/// one.
///
/// # Errors
/// `PermissionDenied` otherwise.
pub(super) fn leaves_itself(cx: &Context, request: &v1::RemoveMemberRequest) -> Result<(), Status> {
    if !is_marked(cx, LEAVING) || cx.caller().is_none() {
        return Ok(());
    }
    match proven(cx).is_some_and(|key| id(&shown(&key)) == Some(request.id)) {
        true => Ok(()),
        false => Err(Status::permission_denied("a member that leaves removes itself alone").not_processed()),
    }
}

#[cfg(test)]
mod tests {
    use polywire::{Caller, Identity};

    use super::*;

    #[test]
    fn a_member_that_leaves_removes_itself_alone_also_on_the_leaders_machine() {
        let key = [7; 32];
        let own = id(&shown(&key)).unwrap();
        let caller = Arc::new(Caller::new("grpc").local().with_identity(Identity::Key(key)));
        let path = "/polywire.cluster.v1.Cluster/RemoveMember";
        let mut cx = Context::incoming(path, caller).unwrap();
        let request = |id| v1::RemoveMemberRequest { id, cluster_id: String::new() };
        leaves_itself(&cx, &request(own + 1)).unwrap();
        cx.metadata_mut().insert(LEAVING, "1").unwrap();
        leaves_itself(&cx, &request(own)).unwrap();
        let refused = leaves_itself(&cx, &request(own + 1)).unwrap_err();
        assert_eq!(refused.code(), polywire::Code::PermissionDenied);
    }
}
