use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use tokio::time::Instant;

use super::{
    super::{
        route::{Route, Standing},
        shared::is_of_the_way,
    },
    balance::Load,
    listing::Listing,
    peer::Peer,
    setup::Setup,
};
use crate::{Status, policy::score::Score};

/// A member of a cluster: the ways to it, and how it has been doing.
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) peer: Peer,
    /// Whether it answered the member that was asked.
    reached: AtomicBool,
    in_flight: AtomicU32,
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
    /// The member of this id, of which nothing else is known; over these routes, or those that are heard of later.
    pub(super) fn new(setup: &Arc<Setup>, id: Arc<str>, routes: Vec<Arc<Route>>) -> Self {
        Self {
            id,
            peer: Peer::new(setup.clone(), routes),
            reached: AtomicBool::new(true),
            in_flight: AtomicU32::new(0),
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
        let best = current.shared().routes.iter().min_by_key(|route| route.standing());
        best.map_or("none", |route| route.transport)
    }

    /// How many calls wait for its answer.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How well it suits a call of this service, the least best; `NEVER` where it does not serve it.
    pub(super) fn rank(&self, service: &str) -> u8 {
        let serves = self.peer.now().listing.as_ref().and_then(|listing| listing.serves(service));
        let rank = match self.peer.standing() {
            Standing::Up => 0,
            // Whoever is new gets its share of the calls at once, unless others have found that it does not answer.
            Standing::Untried => u8::from(!self.is_reached()),
            Standing::Suspected => 2,
            Standing::Down => 3,
        };
        match serves {
            Some(true) => rank,
            Some(false) => NEVER,
            None => UNKNOWN + rank,
        }
    }

    /// What it is compared by with another for a call of this service.
    pub(super) fn load(&self, service: &str) -> Load {
        Load { in_flight: self.in_flight(), score: self.scores().get(service).copied().unwrap_or_default() }
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
        let is_reached = self.peer.standing() == Standing::Up;
        Flight { member: self.clone(), began: Instant::now(), is_reached }
    }

    fn note(&self, service: &str, began: Instant, failure: Option<&Status>) {
        if failure.is_some_and(Status::is_not_processed) {
            // That the member is not reached is known of its transports, and says nothing of the service.
            return;
        }
        let now = Instant::now();
        let well = !failure.is_some_and(is_of_the_way);
        let mut scores = self.scores();
        let service = if scores.len() >= SERVICES && !scores.contains_key(service) { "" } else { service };
        if !scores.contains_key(service) {
            scores.insert(service.to_owned(), Score::default());
        }
        if let Some(score) = scores.get_mut(service) {
            score.note(now, now.duration_since(began), well);
        }
    }

    fn scores(&self) -> MutexGuard<'_, HashMap<String, Score>> {
        self.scores.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// It was answered, or failed so.
    pub(super) fn note(&self, service: &str, failure: Option<&Status>) {
        if self.is_reached {
            self.member.note(service, self.began, failure);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.member.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
