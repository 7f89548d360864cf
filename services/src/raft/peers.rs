use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use polywire::{
    Channel, ChannelBuilder, Code, ConnectOptions, RouteExplanation, RouteState, Status, Target,
    config::RaftTransport, policy::PolicyHandle, transport::Connected,
};
use tokio::time::Instant;

use super::{
    Member,
    dialling::{Dialling, Rule},
    pace::Pace,
};
use crate::peer_report::PeerReport;

/// The ways to the other members. Clones share them.
#[derive(Clone, Debug)]
pub struct Peers(Arc<PeerTable>);

#[derive(Debug)]
struct PeerTable {
    dialling: Arc<Dialling>,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
    moved: Mutex<BTreeMap<u64, Moved>>,
}

/// A member that has said where it is before the cluster knows.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) member: Member,
    /// As the cluster knew it then.
    pub(super) replaces: Member,
}

/// One member, and the channel to it.
pub(super) struct Peer {
    id: u64,
    dialling: Arc<Dialling>,
    state: Mutex<PeerState>,
    /// Whether calls go over another transport than the one they prefer, for that does not work.
    is_rerouted: Arc<AtomicBool>,
}

struct PeerState {
    member: Member,
    open: Option<Arc<OpenChannel>>,
    /// Why the last call failed; `None` since one went well.
    failing: Option<Failing>,
    /// Why and when a call failed last, by the transport, whatever went well since.
    past: BTreeMap<&'static str, (Instant, String)>,
    /// When and over which transport a call was answered last by where the member was before it moved.
    contact: Option<(Instant, &'static str)>,
    /// How often the log is told that it is not reached, and whether it was the last time.
    losses: Pace,
    loss_told: bool,
}

/// A call that failed.
struct Failing {
    transport: &'static str,
    reason: String,
}

/// The channel, once there is one.
struct OpenChannel {
    channel: Channel,
    /// What held when it was opened.
    rule: Arc<Rule>,
    renew: Option<Box<dyn Fn() + Send + Sync>>,
    close: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// How often in a minute the log is told that a member is lost, and that it is back.
const LOSSES: u32 = 6;

/// How long a dial may take: the network of a cluster is near, and an election waits.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a transport that does not work is left alone at most. A member that is there again must hear of its leader
/// before it stands for election.
const PAUSE: Duration = Duration::from_millis(250);

impl Peers {
    /// No ways yet; those to come follow this rule, or what the policies of the node say instead.
    pub(super) fn new(options: &ConnectOptions, rule: RaftTransport, given: Option<PolicyHandle>) -> Self {
        let options = options.clone().connect_timeout(CONNECT);
        let dialling = Dialling::new(options, rule.policy(), given);
        Self(Arc::new(PeerTable {
            dialling: Arc::new(dialling),
            peers: Mutex::default(),
            moved: Mutex::default(),
        }))
    }

    /// The way to this member, as the cluster knows it; where the member itself has said later where it is, the way there.
    pub(super) fn learn(&self, id: u64, member: &Member) -> Arc<Peer> {
        let member = &self.latest(id, member);
        let mut peers = self.lock();
        let dialling = &self.0.dialling;
        let peer = peers.entry(id).or_insert_with(|| Arc::new(Peer::new(id, member, dialling.clone())));
        peer.learn(member);
        peer.clone()
    }

    /// What is known of a member that the cluster knows like this.
    pub(super) fn latest(&self, id: u64, member: &Member) -> Member {
        let mut moved = self.moved_members();
        match moved.get(&id) {
            Some(told) if told.replaces == *member => told.member.clone(),
            Some(_) => {
                moved.remove(&id);
                member.clone()
            }
            None => member.clone(),
        }
    }

    /// A member that the cluster knows like this is there now.
    pub(super) fn follow(&self, id: u64, replaces: &Member, member: Member) {
        self.moved_members().insert(id, Moved { member, replaces: replaces.clone() });
        self.learn(id, replaces);
    }

    /// The members that the cluster does not know yet where they are.
    pub(super) fn moved(&self) -> Vec<(u64, Moved)> {
        self.moved_members().iter().map(|(id, moved)| (*id, moved.clone())).collect()
    }

    fn moved_members(&self) -> MutexGuard<'_, BTreeMap<u64, Moved>> {
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives all connections up for new ones.
    pub(super) fn renew(&self) {
        for peer in self.lock().values() {
            if let Some(renew) = peer.lock().open.as_ref().and_then(|open| open.renew.as_ref()) {
                renew();
            }
        }
    }

    /// Forgets all but these.
    pub(super) fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.lock().retain(|id, _| keep(*id));
        self.moved_members().retain(|id, _| keep(*id));
    }

    /// How each is doing, in the order of their ids.
    pub fn reports(&self) -> Vec<PeerReport> {
        self.lock().values().map(|peer| peer.report()).collect()
    }

    /// The options with which members are dialled.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.0.dialling.options
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Peer>>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn new(id: u64, member: &Member, dialling: Arc<Dialling>) -> Self {
        let state = PeerState {
            member: member.clone(),
            open: None,
            failing: None,
            past: BTreeMap::new(),
            contact: None,
            losses: Pace::a_minute(LOSSES),
            loss_told: false,
        };
        Self { id, dialling, state: Mutex::new(state), is_rerouted: Arc::default() }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Makes one call, over the transport that its policy chooses now.
    ///
    /// # Errors
    /// Those of the call, and `Unavailable` where the member has no address over a transport that may be taken.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, false).await
    }

    /// As [`call`](Self::call), for a message of consensus: where that is refused, the member is not what it was.
    pub(super) async fn consensus<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, true).await
    }

    async fn make<T, F>(&self, call: impl FnOnce(Channel) -> F, is_consensus: bool) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let calling = async { call(self.channel().await?).await };
        let outcome = calling.await;
        self.note(outcome.as_ref().err(), is_consensus);
        outcome
    }

    async fn channel(&self) -> Result<Channel, Status> {
        let rule = self.dialling.rule();
        let targets = {
            let mut state = self.lock();
            match &state.open {
                Some(open) if Arc::ptr_eq(&open.rule, &rule) => return Ok(open.channel.clone()),
                Some(_) => state.close(),
                None => {}
            }
            state.targets(rule.transports())?
        };
        let builder = Channel::builder().options(self.dialling.options.clone()).targets(targets);
        let Connected { channel, close, renew, .. } = self.choosing(builder, &rule).open().await?;
        let open = Arc::new(OpenChannel { channel, rule, renew, close: Mutex::new(Some(close)) });
        // Another call may have been faster.
        Ok(self.lock().open.get_or_insert(open).channel.clone())
    }

    /// The channel to be, that chooses as Raft does.
    fn choosing(&self, builder: ChannelBuilder, rule: &Rule) -> ChannelBuilder {
        let (member, is_rerouted) = (self.id, self.is_rerouted.clone());
        builder.policy(rule.policies.clone()).longest_pause(PAUSE).on_fallback(move |fallback| {
            if fallback.reason != "untried" && !is_rerouted.swap(true, Ordering::Relaxed) {
                let error = fallback.error.as_deref().unwrap_or(fallback.reason);
                tracing::warn!(member, target = fallback.from, error, "a member is not reached");
            }
        })
    }

    fn note(&self, error: Option<&Status>, is_consensus: bool) {
        let unanswered = error.filter(|status| match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => true,
            // It is there, but not the member that it was.
            Code::FailedPrecondition => is_consensus,
            // Whatever else it answers, it is there.
            _ => false,
        });
        let rule = self.dialling.rule();
        let mut state = self.lock();
        match unanswered {
            None => {
                if state.failing.take().is_some() {
                    let transport = state.transport(rule.transports());
                    if std::mem::take(&mut state.loss_told) {
                        let name = &state.member.name;
                        tracing::info!(member = self.id, name, transport, "a member is reached again");
                    }
                }
                if self.is_rerouted.load(Ordering::Relaxed) && state.is_well() {
                    self.is_rerouted.store(false, Ordering::Relaxed);
                    tracing::info!(member = self.id, "a member is reached again over every transport");
                }
            }
            Some(status) => {
                let transport = state.transport(rule.transports());
                if state.failing.is_none()
                    && let Some(hidden) = state.losses.admit()
                {
                    state.loss_told = true;
                    let name = &state.member.name;
                    tracing::warn!(member = self.id, name, transport, %status, hidden, "a member is not reached");
                }
                state.past.insert(transport, (Instant::now(), status.to_string()));
                state.failing = Some(Failing { transport, reason: status.to_string() });
            }
        }
    }

    fn learn(&self, member: &Member) {
        let mut state = self.lock();
        let same = state.member.incarnation == member.incarnation || member.incarnation == 0;
        if state.member.targets != member.targets || !same {
            state.close();
        }
        state.member = member.clone();
    }

    fn report(&self) -> PeerReport {
        let state = self.lock();
        let routes = state.routes();
        let latest = state.contact(&routes);
        let route = routes.iter().find(|route| latest.is_some_and(|(_, name)| name == route.transport));
        PeerReport {
            id: self.id,
            member: state.member.clone(),
            transport: latest.map(|(_, transport)| transport),
            last_contact: latest.map(|(at, _)| at.elapsed()),
            latency: route.and_then(|route| route.latency),
            path: route.and_then(|route| route.path.clone()),
            failures: state.failures(&routes),
            past: state.past(&routes),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PeerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerState {
    /// The targets over these transports.
    fn targets(&self, transports: &[String]) -> Result<Vec<Target>, Status> {
        let targets: Vec<Target> = self.member.targets.iter().filter_map(|text| text.parse().ok()).collect();
        let over = |name: &String| targets.iter().find(|target| target.transport() == name).cloned();
        let found: Vec<_> = transports.iter().filter_map(over).collect();
        if found.is_empty() {
            let reason = format!(
                "the member {} has no address over {}, which transport.strategy.raft_transport asks for",
                self.member,
                transports.join(" or ")
            );
            return Err(Status::unavailable(reason).not_processed());
        }
        Ok(found)
    }

    /// How each transport is doing.
    fn routes(&self) -> Vec<RouteExplanation> {
        let explained = self.open.as_ref().and_then(|open| open.channel.explain());
        explained.map(|explained| explained.routes).unwrap_or_default()
    }

    /// Whether every transport works.
    fn is_well(&self) -> bool {
        self.routes().iter().all(|route| route.state == RouteState::Closed && !route.is_failing)
    }

    /// The transport of which there is news last; before there is any, the one that is preferred.
    fn transport(&self, transports: &[String]) -> &'static str {
        let heard = |route: &RouteExplanation| {
            let failed = route.last_error.as_ref().map(|(_, ago)| *ago);
            [route.last_answer, failed].into_iter().flatten().min().unwrap_or(Duration::MAX)
        };
        let latest = self.routes().into_iter().min_by_key(heard).map(|route| route.transport);
        latest.unwrap_or(if transports.first().is_some_and(|name| name == "iroh") { "iroh" } else { "grpc" })
    }

    /// When and over which transport a call was answered last.
    fn contact(&self, routes: &[RouteExplanation]) -> Option<(Instant, &'static str)> {
        let now = Instant::now();
        let at = |route: &RouteExplanation| Some((now.checked_sub(route.last_answer?)?, route.transport));
        routes.iter().filter_map(at).chain(self.contact).max_by_key(|(at, _)| *at)
    }

    fn failures(&self, routes: &[RouteExplanation]) -> Vec<(&'static str, String)> {
        let failing = routes.iter().filter(|route| route.is_failing);
        let why = |route: &RouteExplanation| Some((route.transport, route.last_error.clone()?.0));
        let mut failures: Vec<_> = failing.filter_map(why).collect();
        if let Some(Failing { transport, reason }) = &self.failing
            && failures.iter().all(|(name, _)| name != transport)
        {
            failures.push((transport, reason.clone()));
        }
        failures
    }

    fn past(&self, routes: &[RouteExplanation]) -> Vec<(&'static str, Duration, String)> {
        let met = |route: &RouteExplanation| {
            let (reason, ago) = route.last_error.clone()?;
            Some((route.transport, ago, reason))
        };
        let noted =
            self.past.iter().map(|(transport, (at, reason))| (*transport, at.elapsed(), reason.clone()));
        let mut latest = BTreeMap::new();
        for (transport, ago, reason) in routes.iter().filter_map(met).chain(noted) {
            let other = latest.get(transport).is_some_and(|(other, _)| *other <= ago);
            if !other {
                latest.insert(transport, (ago, reason));
            }
        }
        latest.into_iter().map(|(transport, (ago, reason))| (transport, ago, reason)).collect()
    }

    /// Gives the channel up; the next call makes another.
    fn close(&mut self) {
        self.contact = self.contact(&self.routes());
        if let Some(open) = self.open.take() {
            // Others may share the connection, which is none any more.
            if let Some(renew) = &open.renew {
                renew();
            }
            let close = open.close.lock().unwrap_or_else(PoisonError::into_inner).take();
            tokio::spawn(async move {
                if let Some(close) = close {
                    close.await;
                }
            });
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use polywire::{Context, Payload, Response, Service, Streaming};
    use polywire_proto::raft::v1::{VoteRequest, VoteResponse};

    use super::*;
    use crate::raft::RaftClient;

    const RULE: RaftTransport = RaftTransport::Adaptive { latency_threshold_ms: 20.0 };

    /// A member that grants every vote in 3 ms and takes 5 s for a write, unless it has something else to say.
    #[derive(Clone, Default)]
    struct Voter(Arc<Mutex<Option<Status>>>);

    impl Service for Voter {
        async fn unary(&self, cx: Context, _: Payload) -> Result<Response<Payload>, Status> {
            let is_write = cx.path().starts_with("/polywire.kv.");
            tokio::time::sleep(Duration::from_millis(if is_write { 5_000 } else { 3 })).await;
            match self.0.lock().unwrap().clone() {
                Some(refusal) => Err(refusal),
                None => Ok(Response::new(Payload::new(VoteResponse { granted: true, ..Default::default() }))),
            }
        }

        async fn stream(
            &self,
            _: Context,
            _: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            Err(Status::unimplemented("it takes no streams"))
        }
    }

    /// A member that is this one.
    async fn peer(voter: &Voter) -> (Peers, Arc<Peer>) {
        over(Channel::builder().connection("iroh", voter.clone())).await
    }

    async fn over(builder: ChannelBuilder) -> (Peers, Arc<Peer>) {
        let peers = Peers::new(&ConnectOptions::new(), RULE, None);
        let peer = peers.learn(1, &Member::default());
        let rule = peer.dialling.rule();
        let channel = peer.choosing(builder, &rule).connect().await.unwrap();
        let open = OpenChannel { channel, rule, renew: None, close: Mutex::default() };
        peer.lock().open = Some(Arc::new(open));
        (peers, peer)
    }

    async fn vote(peer: &Peer) -> Result<VoteResponse, Status> {
        peer.consensus(async |channel| RaftClient::new(channel).vote(VoteRequest::default()).await).await
    }

    async fn write(peer: &Peer) {
        let write = async |channel| {
            let kv = crate::raft::KvClient::new(channel);
            kv.put(polywire_proto::kv::v1::PutRequest::default()).await
        };
        // What it answers is no answer to a write, and an answer all the same.
        let _ = peer.call(write).await;
    }

    #[tokio::test(start_paused = true)]
    async fn only_messages_of_consensus_say_how_far_a_member_is() {
        let (peers, peer) = peer(&Voter::default()).await;
        write(&peer).await;
        let report = peers.reports().remove(0);
        assert_eq!((report.transport, report.latency), (Some("iroh"), None), "it was there, and that is all");
        vote(&peer).await.unwrap();
        write(&peer).await;
        assert_eq!(peers.reports()[0].latency, Some(Duration::from_millis(3)));
        assert!(peers.reports()[0].is_reachable());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_refuses_consensus_is_not_the_member_that_it_was() {
        let voter = Voter::default();
        let (peers, peer) = peer(&voter).await;
        vote(&peer).await.unwrap();
        *voter.0.lock().unwrap() = Some(Status::failed_precondition("this is another cluster"));
        write(&peer).await;
        assert!(peers.reports()[0].is_reachable(), "a write may be refused");
        vote(&peer).await.unwrap_err();
        let report = peers.reports().remove(0);
        let why = ("iroh", "FAILED_PRECONDITION: this is another cluster".to_owned());
        assert!(!report.is_reachable());
        assert_eq!(report.failures, std::slice::from_ref(&why));
        *voter.0.lock().unwrap() = None;
        vote(&peer).await.unwrap();
        let report = peers.reports().remove(0);
        assert!(report.is_reachable() && report.failures.is_empty(), "{report:?}");
        assert_eq!((report.past[0].0, report.past[0].2.clone()), why, "it is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_one_transport_does_not_reach_is_reached_over_the_other() {
        let (iroh, grpc) = (Voter::default(), Voter::default());
        let builder = Channel::builder().connection("iroh", iroh.clone()).connection("grpc", grpc.clone());
        let (peers, peer) = over(builder).await;
        vote(&peer).await.unwrap();
        assert_eq!(peers.reports()[0].transport, Some("iroh"), "it is preferred");
        *iroh.0.lock().unwrap() = Some(Status::unavailable("UDP is blocked").not_processed());
        vote(&peer).await.unwrap();
        let report = peers.reports().remove(0);
        assert!(report.is_reachable() && peer.is_rerouted.load(Ordering::Relaxed));
        assert_eq!(report.transport, Some("grpc"));
        assert_eq!(report.failures, [("iroh", "UDP is blocked".to_owned())]);
        *iroh.0.lock().unwrap() = None;
        tokio::time::sleep(Duration::from_secs(8)).await;
        vote(&peer).await.unwrap();
        assert!(!peer.is_rerouted.load(Ordering::Relaxed), "that is over");
        assert_eq!(peers.reports()[0].transport, Some("iroh"));
    }

    #[test]
    fn where_a_member_says_that_it_is_holds_until_the_cluster_says_something_else() {
        let peers = Peers::new(&ConnectOptions::new(), RULE, None);
        let run = |incarnation| Member {
            targets: vec![format!("grpc://127.0.0.1:{incarnation}")],
            incarnation,
            ..Member::default()
        };
        peers.learn(1, &run(1));
        peers.follow(1, &run(1), run(2));
        assert_eq!(peers.latest(1, &run(1)), run(2));
        peers.learn(1, &run(1));
        assert_eq!(peers.reports()[0].member, run(2));
        peers.learn(1, &run(3));
        assert_eq!(peers.reports()[0].member, run(3));
        assert!(peers.moved().is_empty());
        assert_eq!(peers.latest(1, &run(1)), run(1), "it is forgotten");
    }

    #[tokio::test]
    async fn a_member_without_an_address_that_may_be_taken_is_not_reached() {
        let peers = Peers::new(&ConnectOptions::new(), RaftTransport::AlwaysIroh, None);
        let member = Member { targets: vec!["grpc://127.0.0.1:1".to_owned()], ..Member::default() };
        let status = vote(&peers.learn(1, &member)).await.unwrap_err();
        assert!(status.message().contains("has no address over iroh, which "), "{status}");
        let report = peers.reports().remove(0);
        assert_eq!(report.failures, [("iroh", status.to_string())]);
    }
}
