//! How a client learns who is in a cluster.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{
    super::subchannel::{Connectivity, Subchannel},
    cluster::ClusterInner,
    listing::Listing,
    member::Member,
    peer,
};
use crate::{Code, Status, balance::directory::ListResponse};

/// The timeout of a request to a directory. It covers a dial, and the peer's own requests to members.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long an answer of a server without a directory is taken for true.
const STRANGERS: Duration = Duration::from_secs(60);

/// Which cluster is meant, and the newest that was heard of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    id: String,
    revision: u64,
}

impl Heard {
    fn of(answer: &ListResponse) -> Self {
        let cluster = answer.cluster.as_ref();
        Self {
            id: cluster.map(|cluster| cluster.id.clone()).unwrap_or_default(),
            revision: cluster.map_or(0, |cluster| cluster.revision),
        }
    }

    /// Whether this is newer than what was heard before, or as new. Another cluster's is not: a member that has left is
    /// in one of its own.
    fn follows(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| before.id == self.id && before.revision <= self.revision)
    }
}

/// The answer of a directory.
struct Answer {
    from_seed: bool,
    outcome: Result<ListResponse, Status>,
}

/// Asks one member that works, and all others and the seeds where that does not help; tells the calls that wait.
pub(super) async fn learn(inner: Arc<ClusterInner>) {
    let ttl = round(&inner).await;
    let now = Instant::now();
    match ttl {
        Ok(ttl) => inner.ttl.told(now, ttl),
        Err(status) => {
            tracing::debug!(%status, "no directory lists the members of the cluster");
            inner.fail(status);
            inner.ttl.failed(now);
        }
    }
    inner.news.notify_waiters();
}

async fn round(inner: &ClusterInner) -> Result<Duration, Status> {
    let members = inner.members.load_full();
    let heard = inner.heard();
    let up = |member: &&Arc<Member>| member.peer.connectivity() == Connectivity::Ready;
    let first = members.iter().filter(up).nth(inner.turn(members.iter().filter(up).count()));
    if let Some(first) = first
        && let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, first.peer.ask(true, PATIENCE)).await
        && Heard::of(&answer).follows(heard.as_ref())
        && answer.node.is_some()
    {
        return Ok(take(inner, answer).await);
    }
    let mut answers = everybody(inner, &members);
    let (mut elsewhere, mut strangers, mut failures) = (None, false, Vec::new());
    while let Some((name, Answer { from_seed, outcome })) = answers.next().await {
        match outcome {
            Ok(answer) if answer.node.is_some() => {
                if Heard::of(&answer).follows(heard.as_ref()) {
                    drop(answers);
                    return Ok(take(inner, answer).await);
                }
                failures
                    .push(format!("{name}: is in another cluster, or has not heard the latest of this one"));
                if from_seed {
                    elsewhere = Some(answer);
                }
            }
            Ok(_) => strangers |= from_seed,
            Err(status) => {
                let says_nothing = !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded);
                strangers |= from_seed && says_nothing;
                failures.push(format!("{name}: {}", status.message()));
            }
        }
    }
    drop(answers);
    // The cluster that was known is gone, and where it was there is another.
    if let Some(answer) = elsewhere {
        return Ok(take(inner, answer).await);
    }
    if strangers && heard.is_none() {
        return Ok(seeds_alone(inner));
    }
    Err(Status::unavailable(failures.join("; ")))
}

type ResponseStream<'a> = FuturesUnordered<BoxFuture<'a, (String, Answer)>>;

fn everybody<'a>(inner: &'a ClusterInner, members: &'a [Arc<Member>]) -> ResponseStream<'a> {
    let answers = ResponseStream::new();
    for member in members {
        answers.push(Box::pin(async move {
            let outcome = member.peer.ask(true, PATIENCE).await;
            (member.name(), Answer { from_seed: false, outcome })
        }));
    }
    for seed in &inner.seeds {
        answers.push(Box::pin(async move {
            let outcome = peer::ask(std::slice::from_ref(seed), true, PATIENCE).await;
            (seed.target.clone(), Answer { from_seed: true, outcome })
        }));
    }
    answers
}

/// Takes an answer for true; for how long.
async fn take(inner: &ClusterInner, answer: ListResponse) -> Duration {
    let heard = Heard::of(&answer);
    let ttl = Duration::from_millis(answer.ttl_ms);
    let itself = answer.node.map(|node| (Listing::of(node, answer.services), true));
    let others = answer.cluster.into_iter().flat_map(|cluster| cluster.members);
    let others =
        others.filter_map(|member| Some((Listing::of(member.node?, member.services), member.reached)));
    let before = inner.members.load_full();
    let mut members = Vec::new();
    for (listing, reached) in itself.into_iter().chain(others) {
        let known = before.iter().find(|member| member.id == listing.id).cloned();
        let member =
            known.unwrap_or_else(|| Arc::new(Member::new(&inner.setup, listing.id.clone(), Vec::new())));
        member.learn(listing, reached).await;
        members.push(member);
    }
    // The peer that answered may be any member.
    members.sort_by(|one, other| one.id.cmp(&other.id));
    tell(&before, &members);
    inner.follow(members, heard);
    ttl
}

/// What has changed, for the log.
fn tell(before: &[Arc<Member>], now: &[Arc<Member>]) {
    let new = |one: &[Arc<Member>], other: &[Arc<Member>]| -> Vec<String> {
        let missing = |member: &&Arc<Member>| !other.iter().any(|known| known.id == member.id);
        one.iter().filter(missing).map(|member| member.name()).collect()
    };
    let (joined, left) = (new(now, before), new(before, now));
    if !joined.is_empty() || !left.is_empty() {
        tracing::debug!(?joined, ?left, "the members of a cluster have changed");
    }
}

/// Servers without a directory are taken as they are: each seed is a member.
fn seeds_alone(inner: &ClusterInner) -> Duration {
    let member = |seed: &Arc<Subchannel>| {
        Arc::new(Member::new(&inner.setup, seed.target.as_str().into(), vec![seed.clone()]))
    };
    if inner.members.load().is_empty() {
        inner.members.store(Arc::new(inner.seeds.iter().map(member).collect()));
    }
    STRANGERS
}
