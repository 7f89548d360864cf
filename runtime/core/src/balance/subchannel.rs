use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::Notify, time::Instant};

use super::{
    Channel,
    liveness::Liveness,
    observer::{ChannelObserver, CircuitGauge},
};
use crate::{
    Code, Status,
    policy::{
        circuit::{BreakerState, Circuit, LONGEST_PAUSE},
        score::Score,
        verdict::Verdict,
    },
    sync::{Mutex, MutexGuard},
    transport::NetworkPath,
};
use futures_util::future::BoxFuture;

/// One transport to the peer: the connection, and whether it works.
pub(super) struct Subchannel {
    /// The transport's name.
    pub(super) transport: &'static str,
    /// Where it leads, for people.
    pub(super) target: String,
    way: ArcSwap<RenewableConnection>,
    circuit: Mutex<Circuit>,
    /// Locked behind the circuit.
    shown: Mutex<CircuitGauge>,
    /// What the circuit says, for every call to read.
    connectivity: AtomicU8,
    pub(super) liveness: Liveness,
    /// Told to calls that can be made elsewhere when this way stops answering.
    pub(super) lost: Arc<Notify>,
    /// Whether it was asked and said nothing, and nothing was heard since: what is under way over it is gone.
    dark: Mutex<Option<Instant>>,
    /// The number of forced reconnects.
    renewals: AtomicU32,
    /// A call would have taken it, had it been tried.
    wanted: AtomicBool,
    /// Calls in a row that did not get through although probes did.
    strikes: AtomicU32,
    last_error: Mutex<Option<(Instant, String)>>,
    news: Mutex<News>,
    /// How the calls of all services have been doing.
    score: Mutex<Score>,
}

/// When something was heard of the peer.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// A call was answered.
    answered: Option<Instant>,
    /// A probe was answered.
    proved: Option<Instant>,
}

/// A connection, and how to have another in its place.
pub(super) struct RenewableConnection {
    pub(super) channel: Channel,
    /// Which way the packets take, where the transport knows.
    pub(super) path: Box<dyn Fn() -> Option<NetworkPath> + Send + Sync>,
    /// Forces a reconnect on the next call; returns the new connection if it is another object.
    pub(super) renew: Box<dyn Fn() -> BoxFuture<'static, Option<Self>> + Send + Sync>,
    /// Tells the peer that nothing more comes, once.
    pub(super) close: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl RenewableConnection {
    /// A connection that looks after itself.
    pub(super) fn lasting(channel: Channel) -> Self {
        Self {
            channel,
            path: Box::new(|| None),
            renew: Box::new(|| Box::pin(std::future::ready(None))),
            close: Mutex::default(),
        }
    }
}

/// What the subchannels of a channel have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) observer: ChannelObserver,
    /// One that does not work is left alone for this long at most.
    pub(super) longest_pause: Duration,
}

impl Common {
    /// Subchannels of which this counts.
    pub(super) fn counted_by(observer: ChannelObserver) -> Self {
        Self { observer, longest_pause: LONGEST_PAUSE }
    }
}

/// The connectivity of a subchannel, from the best to the worst
/// ([states](https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Connectivity {
    /// It works.
    Ready,
    /// No call was made over it yet.
    Idle,
    /// It does not answer, and is being probed.
    Connecting,
    /// It does not work.
    TransientFailure,
}

/// So many calls that provably did not get through set a way aside, whatever probes say: a server, or something on the
/// way to it, that lets probes in and refuses calls.
const STRIKES: u32 = 8;

impl Subchannel {
    /// An untried subchannel.
    pub(super) fn new(
        transport: &'static str,
        target: String,
        way: RenewableConnection,
        common: &Common,
    ) -> Self {
        Self {
            transport,
            target,
            way: ArcSwap::from_pointee(way),
            circuit: Mutex::new(Circuit::new(common.longest_pause)),
            shown: Mutex::new(common.observer.circuit(transport)),
            connectivity: AtomicU8::new(Connectivity::Idle as u8),
            liveness: Liveness::new(Instant::now()),
            lost: Arc::default(),
            dark: Mutex::default(),
            renewals: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            last_error: Mutex::new(None),
            news: Mutex::default(),
            score: Mutex::default(),
        }
    }

    /// The connection.
    pub(super) fn channel(&self) -> Channel {
        self.way.load().channel.clone()
    }

    /// Which way the packets take, where the transport knows.
    pub(super) fn path(&self) -> Option<NetworkPath> {
        (self.way.load().path)()
    }

    /// Forces a reconnect on the next call; calls in flight keep the old connection.
    pub(super) fn renew(&self) -> impl Future<Output = ()> + Send + use<'_> {
        let renewing = (self.way.load().renew)();
        self.renewals.fetch_add(1, Ordering::Relaxed);
        async {
            if let Some(way) = renewing.await {
                self.way.store(way.into());
            }
        }
    }

    /// Tells the peer that nothing more comes this way.
    pub(super) async fn close(&self) {
        let closing = lock(&self.way.load().close).take();
        if let Some(closing) = closing {
            closing.await;
        }
    }

    pub(super) fn connectivity(&self) -> Connectivity {
        match self.connectivity.load(Ordering::Relaxed) {
            0 => Connectivity::Ready,
            1 => Connectivity::Idle,
            2 => Connectivity::Connecting,
            _ => Connectivity::TransientFailure,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.circuit().state()
    }

    /// How often it failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.circuit().failures()
    }

    /// When the next probe is to be made, where one is.
    pub(super) fn probe_at(&self, now: Instant) -> Option<Instant> {
        self.circuit().probe_at(now)
    }

    /// When it is to be asked how it is because streams are open and silent; `None` where it does not work anyway.
    pub(super) fn streams_are_silent_at(&self) -> Option<Instant> {
        self.liveness.streams_are_silent_at().filter(|_| self.connectivity() == Connectivity::Ready)
    }

    /// It was asked, and said nothing in time.
    pub(super) fn went_dark(&self) {
        *lock(&self.dark) = Some(Instant::now());
    }

    /// Whether it was asked and said nothing, and nothing was heard since.
    pub(super) fn is_dark(&self) -> bool {
        lock(&self.dark).is_some()
    }

    /// Whether that was found at this time or later.
    pub(super) fn is_dark_since(&self, time: Instant) -> bool {
        lock(&self.dark).is_some_and(|found| found >= time)
    }

    /// The number of forced reconnects.
    pub(super) fn renewals(&self) -> u32 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Requests a probe if it is untried; returns whether this request was the first.
    pub(super) fn want(&self) -> bool {
        self.connectivity() == Connectivity::Idle && !self.wanted.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn probing(&self) {
        self.change(Circuit::probing);
    }

    /// A probe was answered.
    pub(super) fn proved(&self, now: Instant) {
        if self.connectivity() == Connectivity::Connecting {
            self.liveness.false_alarm();
        }
        self.liveness.beat(now);
        *lock(&self.dark) = None;
        lock(&self.news).proved = Some(now);
        self.strikes.store(STRIKES / 2, Ordering::Relaxed);
        self.change(|circuit| circuit.proved(now));
    }

    /// A call was answered.
    pub(super) fn answered(&self, now: Instant) {
        self.liveness.beat(now);
        *lock(&self.dark) = None;
        lock(&self.news).answered = Some(now);
        if self.strikes.load(Ordering::Relaxed) != 0 {
            self.strikes.store(0, Ordering::Relaxed);
        }
        if self.connectivity() != Connectivity::Ready {
            self.change(|circuit| circuit.proved(now));
        }
    }

    /// It does not answer, which may be the calls' own doing: calls that can be made elsewhere are told.
    pub(super) fn suspect(&self) {
        self.change(Circuit::suspect);
        self.lost.notify_waiters();
    }

    /// A call failed on this side; whether it asks for a probe.
    pub(super) fn struck(&self, now: Instant, status: &Status) -> bool {
        if status.code() != Code::Unavailable {
            return false;
        }
        self.remember(now, status.message());
        if status.is_not_processed() && self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            self.failed(now, status.message());
        } else {
            self.change(Circuit::suspect);
        }
        true
    }

    /// A call was not answered in time.
    pub(super) fn missed(&self, now: Instant, status: &Status) {
        self.liveness.miss(now);
        self.remember(now, status.message());
    }

    /// It does not work.
    pub(super) fn failed(&self, now: Instant, reason: &str) {
        self.liveness.alarm();
        self.wanted.store(false, Ordering::Relaxed);
        self.remember(now, reason);
        let News { answered, proved } = *lock(&self.news);
        let misled = proved.is_some() && proved > answered;
        self.change(|circuit| circuit.failed(now, fastrand::f64(), misled));
        self.lost.notify_waiters();
    }

    /// Why it failed last, and when.
    pub(super) fn last_error(&self) -> Option<(Instant, String)> {
        lock(&self.last_error).clone()
    }

    /// When a call was answered last.
    pub(super) fn last_answer(&self) -> Option<Instant> {
        lock(&self.news).answered
    }

    /// Whether nothing was heard of the peer since it failed last.
    pub(super) fn is_failing(&self) -> bool {
        let News { answered, proved } = *lock(&self.news);
        lock(&self.last_error).as_ref().is_some_and(|(at, _)| Some(*at) > answered.max(proved))
    }

    /// How the calls of all services have been doing.
    pub(super) fn score(&self) -> Score {
        *lock(&self.score)
    }

    /// A call ended.
    pub(super) fn note(&self, now: Instant, took: Duration, verdict: Verdict) {
        lock(&self.score).note(now, took, verdict);
    }

    fn remember(&self, now: Instant, reason: &str) {
        *lock(&self.last_error) = Some((now, reason.to_owned()));
    }

    fn change(&self, change: impl FnOnce(&mut Circuit)) {
        let mut circuit = self.circuit();
        let before = circuit.state();
        change(&mut circuit);
        let state = circuit.state();
        let connectivity = match state {
            BreakerState::Closed => Connectivity::Ready,
            BreakerState::Untried => Connectivity::Idle,
            BreakerState::Suspected => Connectivity::Connecting,
            BreakerState::Open { .. } | BreakerState::HalfOpen => Connectivity::TransientFailure,
        };
        self.connectivity.store(connectivity as u8, Ordering::Relaxed);
        self.shown.lock().is(state);
        drop(circuit);
        if std::mem::discriminant(&before) != std::mem::discriminant(&state) {
            tracing::debug!(transport = self.transport, target = %self.target, ?before, ?state, "a way to a peer has changed");
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        lock(&self.circuit)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
