use std::{
    future::poll_fn,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle, time::Instant};

use super::{
    probe::probe,
    subchannel::{Connectivity, Subchannel},
};
use crate::{Code, Status, policy::circuit::BreakerState};
use futures_util::future::BoxFuture;

/// Probes the transports of a channel, concurrently with calls: it races untried ones, checks silent ones while calls wait
/// or streams are open, and retries failed ones periodically. Its task lives as long as the channel, and sleeps while there
/// are no calls and all transports work.
#[derive(Default)]
pub(super) struct Prober {
    signals: Arc<Signals>,
    task: OnceLock<AbortHandle>,
}

/// What calls tell it, and it them.
#[derive(Default)]
pub(super) struct Signals {
    /// There is something to do.
    wake: Notify,
    /// A transport has been found to work or not to.
    news: Notify,
    /// It sleeps until it is woken.
    parked: AtomicBool,
    /// How many calls wait for a transport that works.
    waiting: AtomicU32,
    /// The transport that the first of them prefers.
    leader: AtomicUsize,
}

/// A call that waits for a transport that works.
pub(super) struct Waiting<'a>(&'a Signals);

/// How long the preferred transport has before the next is tried as well: the *connection attempt delay* of happy
/// eyeballs ([RFC 8305, section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5)).
const HEAD_START: Duration = Duration::from_millis(250);

/// How often calls in flight are looked after.
const TICK: Duration = Duration::from_millis(100);

/// How long a peer has to answer where nothing is known of the way to it, a dial included, and where it has answered
/// before and is suspected to be gone.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_WITH_SUSPECTS: Duration = Duration::from_secs(1);

impl Prober {
    /// Begins to look after the channel, at its first call.
    pub(super) fn start(&self, subchannels: &Arc<[Arc<Subchannel>]>) {
        self.task.get_or_init(|| {
            let keeping = keep(Arc::downgrade(subchannels), self.signals.clone());
            tokio::spawn(keeping).abort_handle()
        });
    }

    /// A call has been made.
    pub(super) fn call_made(&self) {
        if self.signals.parked.load(Ordering::Relaxed) && self.signals.parked.swap(false, Ordering::Relaxed) {
            self.signals.wake.notify_one();
        }
    }

    /// There is something to find out.
    pub(super) fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// Completes at the next news after this was called.
    pub(super) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.signals.news.notified()
    }

    /// A call waits for a transport that works, this one best of all.
    pub(super) fn wait(&self, preferred: usize) -> Waiting<'_> {
        if self.signals.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.signals.leader.store(preferred, Ordering::Relaxed);
        }
        self.wake();
        Waiting(&self.signals)
    }
}

impl Waiting<'_> {
    /// Completes at the next news after this was called.
    pub(super) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.news.notified()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The probes under way, and the race where there is one.
struct Rounds {
    probes: Vec<Option<BoxFuture<'static, Result<(), Status>>>>,
    race: Option<Race>,
}

/// The untried transports, one after the other.
struct Race {
    began: Instant,
    leader: usize,
}

async fn keep(subchannels: Weak<[Arc<Subchannel>]>, signals: Arc<Signals>) {
    let Some(count) = subchannels.upgrade().map(|subchannels| subchannels.len()) else { return };
    let mut rounds = Rounds { probes: (0..count).map(|_| None).collect(), race: None };
    loop {
        let next = match subchannels.upgrade() {
            Some(subchannels) => rounds.begin(&subchannels, &signals),
            None => return,
        };
        let timer = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (place, outcome) = rounds.landed() => {
                let Some(subchannels) = subchannels.upgrade() else { return };
                rounds.end(&subchannels, place, outcome);
                signals.news.notify_waiters();
            }
            () = signals.wake.notified() => {}
            () = timer => {}
        }
    }
}

impl Rounds {
    /// Begins the probes that are due; when there is something to do next.
    fn begin(&mut self, subchannels: &[Arc<Subchannel>], signals: &Signals) -> Option<Instant> {
        let now = Instant::now();
        // From here on any call wakes the task.
        signals.parked.store(true, Ordering::Relaxed);
        let busy = subchannels.iter().any(|subchannel| subchannel.liveness.waiting() > 0);
        if busy {
            signals.parked.store(false, Ordering::Relaxed);
        }
        self.gather(subchannels, signals, now);
        let mut next = busy.then(|| now + TICK);
        for (place, subchannel) in subchannels.iter().enumerate() {
            if subchannel.connectivity() == Connectivity::Ready && subchannel.liveness.is_silent(now) {
                subchannel.suspect();
            }
            if self.probes[place].is_some() {
                continue;
            }
            match self.due(subchannels, place, now) {
                Some(due) if due <= now => self.probes[place] = Some(begin(subchannel.clone())),
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
        next
    }

    /// Calls the runners to the start, where calls wait and nothing works.
    fn gather(&mut self, subchannels: &[Arc<Subchannel>], signals: &Signals, now: Instant) {
        let over = subchannels.iter().any(|subchannel| subchannel.connectivity() == Connectivity::Ready);
        if over || signals.waiting.load(Ordering::Relaxed) == 0 {
            self.race = None;
        } else if self.race.is_none() {
            self.race = Some(Race { began: now, leader: signals.leader.load(Ordering::Relaxed) });
        }
    }

    fn due(&self, subchannels: &[Arc<Subchannel>], place: usize, now: Instant) -> Option<Instant> {
        if subchannels[place].connectivity() != Connectivity::Idle {
            let subchannel = &subchannels[place];
            return subchannel.probe_at(now).or_else(|| subchannel.streams_are_silent_at());
        }
        if subchannels[place].is_wanted() {
            return Some(now);
        }
        let race = self.race.as_ref()?;
        let ahead = |other: &usize| race.rank(*other) < race.rank(place);
        let mut others = (0..subchannels.len()).filter(ahead).peekable();
        // The next one starts at once if all before it have failed.
        let beaten =
            others.clone().all(|other| subchannels[other].connectivity() == Connectivity::TransientFailure);
        match others.peek() {
            None => Some(now),
            Some(_) if beaten => Some(now),
            Some(_) => Some(race.began + HEAD_START * u32::try_from(others.count()).unwrap_or(u32::MAX)),
        }
    }

    fn end(&mut self, subchannels: &[Arc<Subchannel>], place: usize, outcome: Result<(), Status>) {
        let now = Instant::now();
        match outcome {
            Ok(()) => {
                subchannels[place].proved(now);
                self.call_off(subchannels, place);
            }
            Err(status) => {
                if status.code() == Code::DeadlineExceeded {
                    subchannels[place].went_dark();
                }
                subchannels[place].failed(now, status.message());
            }
        }
    }

    /// The winner has arrived: those that started behind it stop. Those before it are better, and go on.
    fn call_off(&mut self, subchannels: &[Arc<Subchannel>], winner: usize) {
        let Some(race) = self.race.take() else { return };
        for (place, subchannel) in subchannels.iter().enumerate() {
            let behind = race.rank(place) > race.rank(winner);
            if behind && subchannel.connectivity() == Connectivity::Idle && !subchannel.is_wanted() {
                self.probes[place] = None;
            }
        }
    }

    /// The probe that ends next.
    async fn landed(&mut self) -> (usize, Result<(), Status>) {
        poll_fn(|task| {
            for (place, slot) in self.probes.iter_mut().enumerate() {
                if let Some(probe) = slot
                    && let Poll::Ready(outcome) = probe.as_mut().poll(task)
                {
                    *slot = None;
                    return Poll::Ready((place, outcome));
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Race {
    fn rank(&self, place: usize) -> usize {
        if place == self.leader { 0 } else { place + 1 }
    }
}

fn begin(subchannel: Arc<Subchannel>) -> BoxFuture<'static, Result<(), Status>> {
    let state = subchannel.state();
    subchannel.probing();
    Box::pin(async move {
        let patience = if state == BreakerState::Suspected { PATIENCE_WITH_SUSPECTS } else { PATIENCE };
        if matches!(state, BreakerState::Open { .. }) {
            // What the old connection waits for may never come, as where the peer has been restarted.
            subchannel.renew().await;
        }
        probe(&subchannel.channel(), patience).await
    })
}
