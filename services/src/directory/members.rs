use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::join_all;
use polywire::{Channel, Codec, Context, NodeHandle, Status, Target, TraceContext};
use polywire_proto::directory::v1::{self, ListRequest, ListResponse};
use tokio::{sync::Mutex, time::Instant};

use super::service::{DirectoryClient, TTL, node};
use crate::{guarded::Proving, member::Member, membership::MembershipView};

/// How long a member may take to be dialled and to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the other members of the cluster serve, as they answered last. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Members(Arc<Mutex<MemberTable>>);

#[derive(Default)]
struct MemberTable {
    /// When they were asked last, and the revision of the cluster then.
    asked: Option<(Instant, u64)>,
    known: Vec<KnownMember>,
}

/// One of them.
struct KnownMember {
    member: Member,
    channel: Option<Channel>,
    /// Its last answer, and when it came.
    told: Option<(Instant, ListResponse)>,
    /// Why it did not answer when it was asked last.
    failure: Option<String>,
}

impl Members {
    /// These members with what they serve. Asks members whose answer has expired, concurrently; each answers for itself
    /// alone, so a question never goes in circles. Concurrent callers share one round.
    ///
    /// # Cancel safety
    /// Safe: members that have not answered yet keep their last answer.
    pub(super) async fn ask(&self, own: &NodeHandle, view: MembershipView) -> Vec<v1::Member> {
        let MembershipView { revision, others, proving, .. } = view;
        let mut state = self.0.lock().await;
        let lately = |(at, of): (Instant, u64)| of == revision && at.elapsed() < TTL;
        if !state.asked.is_some_and(lately) {
            let now = Instant::now();
            state.learn(others.into_iter().map(|(_, member)| member).collect());
            join_all(state.known.iter_mut().map(|known| known.ask(own, proving.as_ref()))).await;
            state.asked = Some((now, revision));
        }
        state.known.iter().map(KnownMember::entry).collect()
    }
}

impl MemberTable {
    /// Adds new members and drops removed ones. A member that has moved gets a new channel.
    fn learn(&mut self, members: Vec<Member>) {
        let mut before = std::mem::take(&mut self.known);
        for member in members {
            let same = |known: &KnownMember| known.member.endpoint_id == member.endpoint_id;
            let known = before.iter().position(same).map(|place| before.swap_remove(place));
            let known = known.unwrap_or_else(|| KnownMember {
                member: Member::default(),
                channel: None,
                told: None,
                failure: None,
            });
            let stays = known.member.targets == member.targets;
            let channel = known.channel.filter(|_| stays);
            self.known.push(KnownMember { member, channel, ..known });
        }
    }
}

impl KnownMember {
    async fn ask(&mut self, own: &NodeHandle, proving: Option<&Proving>) {
        let late = || Err(Status::deadline_exceeded(format!("no answer within {PATIENCE:?}")));
        let asking = tokio::time::timeout(PATIENCE, self.list(own, proving)).await;
        match asking.unwrap_or_else(|_| late()) {
            Ok(told) => (self.told, self.failure) = (Some((Instant::now(), told)), None),
            Err(status) => self.failure = Some(status.to_string()),
        }
    }

    async fn list(&mut self, own: &NodeHandle, proving: Option<&Proving>) -> Result<ListResponse, Status> {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => {
                let channel = connect(own, &self.member).await?;
                let channel = match proving {
                    Some(proving) => proving.channel(channel, &self.member),
                    None => channel,
                };
                self.channel.insert(channel).clone()
            }
        };
        // Traces of routine calls would hide those of other calls.
        let cx = Context::new().with_trace(TraceContext::unsampled()).with_codec(Codec::Protobuf);
        let request = ListRequest { members: false };
        let told = DirectoryClient::new(channel).list(request).context(&cx).timeout(PATIENCE).await?;
        match &told.node {
            // Another node may have taken its address.
            Some(node) if node.id != self.member.endpoint_id => Err(Status::unavailable(format!(
                "node id mismatch at its last known address: found {}",
                node.id
            ))),
            Some(node) if !node.conflict.is_empty() => Err(Status::unavailable(node.conflict.clone())),
            _ => Ok(told),
        }
    }

    fn entry(&self) -> v1::Member {
        let (services, fresh) = match &self.told {
            Some((_, told)) => (told.services.clone(), told.node.clone().filter(|_| self.failure.is_none())),
            None => (Vec::new(), None),
        };
        v1::Member {
            node: Some(fresh.unwrap_or_else(|| node(&self.member))),
            services,
            reached: self.failure.is_none(),
            failure: self.failure.clone().unwrap_or_default(),
            age_ms: self
                .told
                .as_ref()
                .map(|(at, _)| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// A channel to this member, which chooses among its targets as the node's own calls do.
async fn connect(own: &NodeHandle, member: &Member) -> Result<Channel, Status> {
    let targets = member.targets.iter().filter_map(|text| text.parse::<Target>().ok());
    let targets: Vec<_> = targets.filter(|target| !target.is_local()).collect();
    if targets.is_empty() {
        return Err(Status::unavailable(format!(
            "member {member} has no address that can be dialled from here"
        )));
    }
    own.channel().targets(targets).connect().await
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").finish_non_exhaustive()
    }
}
