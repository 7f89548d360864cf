use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use polywire::{
    Channel, Code, ConnectOptions, Status, Target,
    config::RaftTransport,
    transport::{Connected, NetworkPath, PathProbe},
};
use tokio::time::Instant;

use super::{
    Member,
    route::{Route, Transport, Way},
};

/// The ways to the other members. Clones share them.
#[derive(Clone, Debug)]
pub struct Peers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: ConnectOptions,
    rule: RaftTransport,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
}

/// One member, and the ways to it.
pub(super) struct Peer {
    id: u64,
    options: ConnectOptions,
    state: Mutex<PeerState>,
}

struct PeerState {
    member: Member,
    route: Route,
    grpc: Line,
    iroh: Line,
}

/// A way over one transport: how it has been doing, and the connection, once there is one.
#[derive(Default)]
struct Line {
    way: Way,
    open: Option<Arc<Open>>,
    /// Since when no call has been answered on this connection.
    silent: Option<Instant>,
}

struct Open {
    channel: Channel,
    path: PathProbe,
    close: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// How a member is doing, as calls to it have shown.
#[derive(Clone, Debug)]
pub struct PeerReport {
    /// Its id.
    pub id: u64,
    /// What it says of itself.
    pub member: Member,
    /// The transport of the last call that was answered.
    pub transport: Option<&'static str>,
    /// How long ago that was.
    pub last_contact: Option<Duration>,
    /// Moving average of how long messages of consensus take over that transport; `None` before there was one.
    pub latency: Option<Duration>,
    /// The way that the packets of that transport take now.
    pub path: Option<NetworkPath>,
    /// Why calls fail now, for each transport over which they do.
    pub failures: Vec<(&'static str, String)>,
    /// How long ago and why a call failed last, for each transport over which one has, whatever went well since.
    pub past: Vec<(&'static str, Duration, String)>,
}

impl PeerReport {
    /// Whether a call was answered lately, and none has failed since.
    pub fn is_reachable(&self) -> bool {
        let lately = self.last_contact.is_some_and(|ago| ago < LATELY);
        lately && !self.transport.is_some_and(|taken| self.failures.iter().any(|(name, _)| *name == taken))
    }
}

/// A leader calls each member several times a second, so one that has not answered for this long is gone.
const LATELY: Duration = Duration::from_secs(3);

/// A connection on which no call was answered for this long is given up for a new one: a peer that has been restarted
/// does not know it. A dial needs some of this time too.
const SILENCE: Duration = Duration::from_secs(2);

impl Peers {
    /// The ways to nobody yet.
    pub(super) fn new(options: &ConnectOptions, rule: RaftTransport) -> Self {
        let options = options.clone().connect_timeout(CONNECT);
        Self(Arc::new(Shared { options, rule, peers: Mutex::default() }))
    }

    /// The way to this member; what it said of itself before is forgotten.
    pub(super) fn learn(&self, id: u64, member: &Member) -> Arc<Peer> {
        let mut peers = self.lock();
        let peer = peers.entry(id).or_insert_with(|| {
            let state = PeerState {
                member: member.clone(),
                route: Route::new(self.0.rule),
                grpc: Line::default(),
                iroh: Line::default(),
            };
            Arc::new(Peer { id, options: self.0.options.clone(), state: Mutex::new(state) })
        });
        peer.learn(member);
        peer.clone()
    }

    /// Gives all connections up for new ones.
    pub(super) fn renew(&self) {
        for peer in self.lock().values() {
            let mut state = peer.lock();
            state.grpc.close();
            state.iroh.close();
        }
    }

    /// Forgets all but these.
    pub(super) fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.lock().retain(|id, _| keep(*id));
    }

    /// How each is doing, in the order of their ids.
    pub fn reports(&self) -> Vec<PeerReport> {
        self.lock().values().map(|peer| peer.report()).collect()
    }

    /// The options with which members are dialled.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.0.options
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Peer>>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a dial may take: the network of a cluster is near, and an election waits.
const CONNECT: Duration = Duration::from_secs(2);

impl Peer {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Makes one call, over the transport that the rule chooses now. How long it takes says nothing of the way to the
    /// member: a write waits for others, and a snapshot for the disk.
    ///
    /// # Errors
    /// Those of the call, and `Unavailable` where the member has no address over that transport.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, Takes::WhatItTakes).await
    }

    /// As [`call`](Self::call), for what the member answers by itself and at once: what the way to it is judged by.
    pub(super) async fn measured<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, Takes::ARoundTrip).await
    }

    async fn make<T, F>(&self, call: impl FnOnce(Channel) -> F, takes: Takes) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let transport = self.choose();
        let channel = self.channel(transport).await?;
        let begun = Instant::now();
        let outcome = call(channel).await;
        self.note(transport, begun, takes, outcome.as_ref().err());
        outcome
    }

    fn choose(&self) -> Transport {
        let mut state = self.lock();
        let PeerState { route, grpc, iroh, .. } = &mut *state;
        route.choose(Instant::now(), &mut iroh.way, &grpc.way)
    }

    async fn channel(&self, transport: Transport) -> Result<Channel, Status> {
        let target = {
            let state = self.lock();
            if let Some(open) = &state.line(transport).open {
                return Ok(open.channel.clone());
            }
            state.target(transport)
        };
        let opening = async { self.open(transport, &target?).await };
        let opened = opening.await;
        if let Err(status) = &opened {
            self.note(transport, Instant::now(), Takes::WhatItTakes, Some(status));
        }
        opened
    }

    async fn open(&self, transport: Transport, target: &Target) -> Result<Channel, Status> {
        let Connected { channel, close, path, .. } = target.open(&self.options).await?;
        let open = Arc::new(Open { channel, path, close: Mutex::new(Some(close)) });
        let mut state = self.lock();
        // Another call may have been faster.
        Ok(state.line_mut(transport).open.get_or_insert(open).channel.clone())
    }

    fn note(&self, transport: Transport, begun: Instant, takes: Takes, error: Option<&Status>) {
        let mut state = self.lock();
        let line = state.line_mut(transport);
        let now = Instant::now();
        let unanswered = error.filter(|status| match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => true,
            // It is there, but not the member that it was.
            Code::FailedPrecondition => takes.measured(Duration::ZERO).is_some(),
            // Whatever else it answers, it is there.
            _ => false,
        });
        match unanswered {
            None => {
                if line.way.failure.is_some() {
                    tracing::info!(
                        member = self.id,
                        transport = transport.name(),
                        "a member is reached again"
                    );
                }
                line.way.answered(now, takes.measured(now.duration_since(begun)));
                line.silent = None;
            }
            Some(status) => {
                if line.way.failure.is_none() {
                    tracing::warn!(member = self.id, transport = transport.name(), %status, "a member is not reached");
                }
                line.way.failed(now, status.to_string());
                if now.duration_since(*line.silent.get_or_insert(begun)) >= SILENCE {
                    line.close();
                }
            }
        }
    }

    fn learn(&self, member: &Member) {
        let mut state = self.lock();
        if state.member.targets != member.targets {
            state.grpc.close();
            state.iroh.close();
        }
        state.member = member.clone();
    }

    fn report(&self) -> PeerReport {
        let state = self.lock();
        let lines = Transport::ALL.map(|transport| (transport.name(), state.line(transport)));
        let latest = lines.iter().filter(|(_, line)| line.way.last_contact.is_some());
        let latest = latest.max_by_key(|(_, line)| line.way.last_contact);
        let failures = lines.iter().filter_map(|(name, line)| {
            let (_, reason) = line.way.failure.as_ref()?;
            Some((*name, reason.clone()))
        });
        let past = lines.iter().filter_map(|(name, line)| {
            let (at, reason) = line.way.last_failure.as_ref()?;
            Some((*name, at.elapsed(), reason.clone()))
        });
        PeerReport {
            id: self.id,
            member: state.member.clone(),
            transport: latest.map(|(name, _)| *name),
            last_contact: latest.and_then(|(_, line)| line.way.last_contact).map(|at| at.elapsed()),
            latency: latest.and_then(|(_, line)| line.way.latency),
            path: latest.and_then(|(_, line)| line.open.as_ref()?.path.now()),
            failures: failures.collect(),
            past: past.collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PeerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the time that a call takes says.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// How far the member is.
    ARoundTrip,
    /// Nothing of that.
    WhatItTakes,
}

impl Takes {
    fn measured(self, took: Duration) -> Option<Duration> {
        matches!(self, Self::ARoundTrip).then_some(took)
    }
}

impl PeerState {
    fn line(&self, transport: Transport) -> &Line {
        match transport {
            Transport::Grpc => &self.grpc,
            Transport::Iroh => &self.iroh,
        }
    }

    fn line_mut(&mut self, transport: Transport) -> &mut Line {
        match transport {
            Transport::Grpc => &mut self.grpc,
            Transport::Iroh => &mut self.iroh,
        }
    }

    fn target(&self, transport: Transport) -> Result<Target, Status> {
        let targets = self.member.targets.iter().filter_map(|text| text.parse::<Target>().ok());
        targets.into_iter().find(|target| target.transport() == transport.name()).ok_or_else(|| {
            Status::unavailable(format!(
                "the member {} has no address over {}, which transport.strategy.raft_transport asks for",
                self.member,
                transport.name()
            ))
            .not_processed()
        })
    }
}

impl Line {
    /// Gives the connection up; the next call makes another.
    fn close(&mut self) {
        self.silent = None;
        if let Some(open) = self.open.take() {
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
    use polywire::{Router, Service as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_messages_of_consensus_say_how_far_a_member_is() {
        const RULE: RaftTransport = RaftTransport::Adaptive { latency_threshold_ms: 20.0 };
        let peers = Peers::new(&ConnectOptions::new(), RULE);
        let peer = peers.learn(1, &Member::default());
        let open = Open {
            channel: Router::new().into_channel(),
            path: PathProbe::default(),
            close: Mutex::default(),
        };
        peer.lock().iroh.open = Some(Arc::new(open));
        let takes = async |milliseconds| {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(())
        };

        peer.call(|_| takes(5_000)).await.unwrap();
        let report = peers.reports().remove(0);
        assert_eq!((report.transport, report.latency), (Some("iroh"), None), "it was there, and that is all");
        peer.measured(|_| takes(3)).await.unwrap();
        peer.call(|_| takes(5_000)).await.unwrap();
        assert_eq!(peers.reports()[0].latency, Some(Duration::from_millis(3)));
        assert_eq!(peer.choose(), Transport::Iroh, "a slow write does not send consensus another way");
    }
}
