use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    super::subchannel::{Connectivity, Subchannel},
    choice::Load,
    listing::Listing,
    peer::Peer,
    setup::Setup,
};
use crate::{
    Code, Status,
    policy::{score::Score, verdict::Verdict},
    sync::{Mutex, MutexGuard},
};

/// A member of a cluster: the ways to it, and how it has been doing.
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) peer: Peer,
    /// Whether it answered the member that was asked.
    reached: AtomicBool,
    in_flight: AtomicU32,
    /// How many services have failed here so often that others may be better.
    flawed: AtomicUsize,
    scores: Mutex<HashMap<String, Score>>,
}

/// How many services are told apart. Their names are a program's own; only one that passes on what others call has more,
/// and those beyond share a score.
const SERVICES: usize = 256;

/// Ranks of those of which it is not known whether they serve a service are this much worse.
const UNKNOWN: u8 = 8;

/// What no call is sent to.
pub(super) const NEVER: u8 = u8::MAX;

impl Member {
    /// The member of this id, of which nothing else is known; over these subchannels, or those that are heard of later.
    pub(super) fn new(setup: &Arc<Setup>, id: Arc<str>, subchannels: Vec<Arc<Subchannel>>) -> Self {
        Self {
            id,
            peer: Peer::new(setup.clone(), subchannels),
            reached: AtomicBool::new(true),
            in_flight: AtomicU32::new(0),
            flawed: AtomicUsize::new(0),
            scores: Mutex::default(),
        }
    }

    /// This was heard of it.
    pub(super) async fn learn(&self, listing: Listing, reached: bool) {
        self.peer.learn(listing).await;
        self.reached.store(reached, Ordering::Relaxed);
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        self.peer.now().listing.as_ref().map_or_else(|| self.id.to_string(), |listing| listing.name.clone())
    }

    /// Whether it answered the member that was asked.
    pub(super) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// The transport by which it is reached best.
    pub(super) fn transport(&self) -> &'static str {
        let current = self.peer.now();
        let best = current.shared().subchannels.iter().min_by_key(|subchannel| subchannel.connectivity());
        best.map_or("none", |subchannel| subchannel.transport)
    }

    /// How many calls wait for its answer.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How well it suits a call of this service, the least best; `NEVER` where it does not serve it.
    pub(super) fn rank(&self, service: &str) -> u8 {
        let serves = self.peer.now().listing.as_ref().and_then(|listing| listing.serves(service));
        let rank = match self.peer.connectivity() {
            Connectivity::Ready => 0,
            // A new member gets its share of calls at once, unless other members report it as unreachable.
            Connectivity::Idle => u8::from(!self.is_reached()),
            Connectivity::Connecting => 2,
            Connectivity::TransientFailure => 3,
        };
        match serves {
            Some(true) => rank,
            Some(false) => NEVER,
            None => UNKNOWN + rank,
        }
    }

    /// What it is compared by with another for a call of this service.
    pub(super) fn load(&self, service: &str) -> Load {
        Load { in_flight: self.in_flight(), score: self.score(service) }
    }

    /// How the service has been doing here.
    pub(super) fn score(&self, service: &str) -> Score {
        self.scores().get(service).copied().unwrap_or_default()
    }

    /// Whether calls of some service have failed here so often that others may be better.
    pub(super) fn is_flawed(&self) -> bool {
        self.flawed.load(Ordering::Relaxed) > 0
    }

    /// Whether the next call is to try the service, which is left alone here because its calls fail.
    pub(super) fn try_again(&self, service: &str, now: Instant) -> bool {
        self.scores().get_mut(service).is_some_and(|score| score.try_again(now))
    }

    /// The services of which it has been called, and how they have been doing.
    pub(super) fn known_scores(&self) -> Vec<(String, Score)> {
        let mut scores: Vec<_> = self.scores().iter().map(|(name, score)| (name.clone(), *score)).collect();
        scores.sort_by(|(one, _), (other, _)| one.cmp(other));
        scores
    }

    /// A call of it begins.
    pub(super) fn begin(self: &Arc<Self>) -> Flight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let is_reached = self.peer.connectivity() == Connectivity::Ready;
        Flight { member: self.clone(), began: Instant::now(), is_reached }
    }

    fn note(&self, service: &str, took: Duration, failure: Option<&Status>) {
        let code = failure.map_or(Code::Ok, Status::code);
        if code == Code::Unavailable && failure.is_some_and(Status::is_not_processed) {
            // That the member is not reached is known of its transports, and says nothing of the service.
            return;
        }
        let mut scores = self.scores();
        let service = if scores.len() >= SERVICES && !scores.contains_key(service) { "" } else { service };
        if !scores.contains_key(service) {
            scores.insert(service.to_owned(), Score::default());
        }
        if let Some(score) = scores.get_mut(service) {
            score.note(Instant::now(), took, Verdict::of(code));
            self.flawed.store(scores.values().filter(|score| score.is_flawed()).count(), Ordering::Relaxed);
        }
    }

    fn scores(&self) -> MutexGuard<'_, HashMap<String, Score>> {
        self.scores.lock()
    }
}

/// A call under way. It counts until this is dropped.
pub(super) struct Flight {
    member: Arc<Member>,
    began: Instant,
    /// Whether it waits for no dial, which would say nothing of the service.
    is_reached: bool,
}

impl Flight {
    /// How long it has taken so far.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// The call, of this service, was answered after so long, or failed so.
    pub(super) fn note(&self, service: &str, took: Duration, failure: Option<&Status>) {
        if self.is_reached {
            self.member.note(service, took, failure);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.member.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
