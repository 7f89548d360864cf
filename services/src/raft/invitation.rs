//! Invitations: tokens with which one node may join the cluster, once.

use std::time::{Duration, SystemTime};

use polywire::{
    Context, Status, Target,
    access::Credential as _,
    tokens::{Invitation, Token, Tokens},
};
use polywire_proto::cluster::v1;

use super::{
    handle::Handle,
    key::{Key, read_key},
    metrics::voters,
    reach::pinned,
};

/// The only method that an invitation allows.
const ADD: &str = "polywire.cluster.v1.Cluster/AddMember";

/// How long an invitation is valid by default.
const VALID: Duration = Duration::from_secs(60 * 60);

/// How many targets an invitation has at most: a token has no room for more.
const TARGETS: usize = 8;

/// Makes an invitation that leads to this node.
///
/// # Errors
/// `FailedPrecondition` in no cluster; `InvalidArgument` for a key that is none; why it cannot be recorded.
pub(super) async fn invite(
    handle: &Handle,
    cx: &Context,
    request: &v1::InviteRequest,
) -> Result<String, Status> {
    let running = handle.running()?;
    running.admitted()?;
    if voters(&running.metrics()).is_empty() {
        return Err(Status::failed_precondition("this node is in no cluster yet, and can invite to none"));
    }
    let to = match &*request.to {
        "" => None,
        text => Some(read_key(text).ok_or_else(|| {
            Status::invalid_argument("invalid node id; expected 64 hexadecimal digits, as `id` prints them")
        })?),
    };
    let valid = match request.valid_ms {
        0 => VALID,
        ms => Duration::from_millis(ms),
    };
    let expires = SystemTime::now().checked_add(valid);
    let expires = expires.ok_or_else(|| Status::invalid_argument("invalid validity: beyond the clock"))?;
    let targets = running.member().targets.into_iter().filter(|text| is_for_others(text)).take(TARGETS);
    let invitation = Invitation {
        name: String::new(),
        targets: targets.collect(),
        methods: vec![ADD.to_owned()],
        expires,
        uses: Some(1),
        to,
    };
    let tokens = handle.trust().tokens().ok_or_else(|| Status::unavailable("this node has not started"))?;
    Ok(tokens.issue_to(cx, invitation).await?.to_string())
}

fn is_for_others(target: &str) -> bool {
    target.parse::<Target>().is_ok_and(|target| !target.is_local())
}

/// Where an invitation leads, and the key that must answer there: that of the connection, or of the node that has made the
/// invitation.
///
/// # Errors
/// `InvalidArgument` if it is no invitation to a cluster or has expired.
pub(super) fn seeds(token: &str) -> Result<Vec<(Target, Option<Key>)>, Status> {
    let wrong = |problem: String| Status::invalid_argument(problem).not_processed();
    let token: Token = token.parse().map_err(|error| wrong(format!("{error}")))?;
    token.check().map_err(|error| wrong(error.to_string()))?;
    if !token.methods().iter().any(|method| method == ADD) {
        return Err(wrong(
            "the token is no invitation to a cluster; expected one of `cluster invite`".to_owned(),
        ));
    }
    let targets = token.targets().iter().filter_map(|text| text.parse::<Target>().ok());
    let seeds: Vec<_> =
        targets.map(|target| (target.clone(), pinned(&target).or(Some(token.issuer())))).collect();
    match seeds.is_empty() {
        true => Err(wrong("the token names no target that this node can dial".to_owned())),
        false => Ok(seeds),
    }
}

/// Whether the call has an invitation that is in force and was not used.
pub(super) fn is_invited(tokens: &Tokens, cx: &Context) -> bool {
    let Some(Ok(grant)) = tokens.verify(cx) else { return false };
    !tokens.is_used_up(cx)
        && grant.methods.is_some_and(|methods| methods.iter().any(|method| method.to_string() == ADD))
}
