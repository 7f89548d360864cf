use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Adaptive, score::Score};

/// Which of several transports a service takes by what has been measured, and how it comes back to others.
///
/// The one in use is kept until another is clearly better, and then for a while: whoever follows every change flaps. One
/// call in fifty goes over the transport that has not been used for longest, so that what is known of it stays true.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    taken: AtomicUsize,
    /// When it was taken, in milliseconds of the channel's life.
    since: AtomicU64,
    calls: AtomicU64,
}

/// One that is to be taken instead must cost at most this much of the one in use.
const CLEARLY: f64 = 0.8;

/// How long one that was taken is kept, unless it stops working.
const DWELL: Duration = Duration::from_secs(2);

/// One call in so many explores.
const EXPLORE: u64 = 50;

/// One whose figures are newer than this needs no exploring.
const FRESH: Duration = Duration::from_secs(1);

/// A transport as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Whether it works.
    pub(crate) works: bool,
    pub(crate) score: Score,
}

impl Choice {
    /// The transport for the next call, by its place among the candidates, which are in the order of preference;
    /// `age` is how long the channel has been there.
    pub(crate) fn next(
        &self,
        adaptive: Adaptive,
        candidates: &[Candidate],
        now: Instant,
        age: Duration,
    ) -> usize {
        let best = match adaptive {
            Adaptive::Off => return 0,
            Adaptive::Below(threshold) => self.below(threshold, candidates),
            Adaptive::Fastest => self.fastest(candidates, age),
        };
        // A threshold is for the preferred one alone: how fast the others are does not matter.
        let settled = best == 0 && matches!(adaptive, Adaptive::Below(_));
        if settled { best } else { self.explored(candidates, best, now).unwrap_or(best) }
    }

    /// The place of the one in use.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn below(&self, threshold: Duration, candidates: &[Candidate]) -> usize {
        let on_first = self.taken.load(Ordering::Relaxed) == 0;
        let bound = if on_first { threshold } else { threshold.mul_f64(CLEARLY) };
        let fast = candidates[0].score.latency().is_none_or(|latency| latency <= bound);
        // Another is taken that works; of what nobody has tried, the preferred one is as good as any.
        let other_works = candidates.get(1).is_some_and(|other| other.works);
        let taken = usize::from(!(candidates[0].works && fast) && other_works);
        self.taken.store(taken, Ordering::Relaxed);
        taken
    }

    fn fastest(&self, candidates: &[Candidate], age: Duration) -> usize {
        let taken = self.taken.load(Ordering::Relaxed).min(candidates.len() - 1);
        let cost = |index: usize| candidates[index].score.cost();
        let others = (0..candidates.len()).filter(|index| *index != taken && candidates[*index].works);
        let best = others.filter_map(|index| Some((index, cost(index)?))).min_by(|a, b| a.1.total_cmp(&b.1));
        if !candidates[taken].works {
            // Whatever works, the best known first.
            let any = best.map(|(index, _)| index).or_else(|| candidates.iter().position(|one| one.works));
            return any.map_or(taken, |index| self.take(index, age));
        }
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let dwelt = age_ms.saturating_sub(self.since.load(Ordering::Relaxed)) >= DWELL.as_millis() as u64;
        match (best, cost(taken)) {
            (Some((index, best)), Some(own)) if dwelt && best < CLEARLY * own => self.take(index, age),
            _ => taken,
        }
    }

    fn take(&self, index: usize, age: Duration) -> usize {
        self.taken.store(index, Ordering::Relaxed);
        self.since.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        index
    }

    /// Another than the best, where it is time to see how it is.
    fn explored(&self, candidates: &[Candidate], best: usize, now: Instant) -> Option<usize> {
        if candidates.len() < 2 || self.calls.fetch_add(1, Ordering::Relaxed) % EXPLORE != EXPLORE - 1 {
            return None;
        }
        let others = candidates.iter().enumerate().filter(|(index, one)| *index != best && one.works);
        let (index, stalest) = others.min_by_key(|(_, one)| one.score.at())?;
        let stale = stalest.score.at().is_none_or(|at| now.saturating_duration_since(at) >= FRESH);
        stale.then_some(index)
    }
}
