use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Adaptive, score::Score};

/// The choice of a transport for a service by measurements, with hysteresis.
///
/// The chosen transport stays until another is clearly better, and then for a minimum time that grows with frequent changes,
/// to prevent flapping. One call in fifty uses the least recently used transport, to keep its measurements current; one in
/// ten while it has too few measurements.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    taken: AtomicUsize,
    /// When it was taken, in milliseconds of the channel's life.
    since: AtomicU64,
    /// How many times in a row it was taken soon after another had been.
    hasty: AtomicU32,
    calls: AtomicU64,
}

/// One that is to be taken instead must cost at most this much of the one in use.
const CLEARLY: f64 = 0.8;

/// The minimum time to keep a working transport: at first, and at most. It doubles with each change, and is reset once a
/// choice has lasted for [`STABLE`].
const DWELL: Duration = Duration::from_secs(2);
const LONGEST_DWELL: Duration = Duration::from_secs(30);
const STABLE: Duration = Duration::from_secs(60);

/// One call in so many explores, and one in so many where too little is known of another to choose it.
const EXPLORE: u64 = 50;
const EXPLORE_UNKNOWN: u64 = 10;

/// One whose figures are newer than this needs no exploring.
const FRESH: Duration = Duration::from_secs(1);

/// A transport as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Whether it works. One whose calls fail far more than another's does not, whatever its circuit says.
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
        // Prefer another one that works; among untried ones keep the preferred order.
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
        match (best, cost(taken)) {
            (Some((index, best)), Some(own)) if best < CLEARLY * own && self.kept(age) >= self.dwell() => {
                self.take(index, age)
            }
            _ => taken,
        }
    }

    /// How long the one in use has been.
    fn kept(&self, age: Duration) -> Duration {
        age.saturating_sub(Duration::from_millis(self.since.load(Ordering::Relaxed)))
    }

    /// How long it is to be kept.
    fn dwell(&self) -> Duration {
        let hasty = self.hasty.load(Ordering::Relaxed).min(16);
        DWELL.saturating_mul(1 << hasty).min(LONGEST_DWELL)
    }

    fn take(&self, index: usize, age: Duration) -> usize {
        // The first choice replaces none.
        let is_hasty = self.since.load(Ordering::Relaxed) > 0 && self.kept(age) < STABLE;
        let hasty = if is_hasty { self.hasty.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
        self.hasty.store(hasty, Ordering::Relaxed);
        self.taken.store(index, Ordering::Relaxed);
        self.since.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
        index
    }

    /// Another than the best, where it is time to see how it is.
    fn explored(&self, candidates: &[Candidate], best: usize, now: Instant) -> Option<usize> {
        if candidates.len() < 2 {
            return None;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if !call.is_multiple_of(EXPLORE_UNKNOWN) {
            return None;
        }
        let others = candidates.iter().enumerate().filter(|(index, one)| *index != best && one.works);
        let (index, stalest) = others.min_by_key(|(_, one)| one.score.at())?;
        let stale = stalest.score.at().is_none_or(|at| now.saturating_duration_since(at) >= FRESH);
        let due = stalest.score.cost().is_none() || (stale && call.is_multiple_of(EXPLORE));
        due.then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::policy::verdict::Verdict;

    const MS: Duration = Duration::from_millis(1);

    fn candidate(calls: u32, took: Duration, now: Instant) -> Candidate {
        let mut score = Score::default();
        (0..calls).for_each(|_| score.note(now, took, Verdict::Works));
        Candidate { works: true, score }
    }

    #[test]
    fn whoever_always_finds_the_other_better_changes_six_times_a_minute_at_most() {
        let (choice, now) = (Choice::default(), Instant::now());
        let (fast, slow) = (candidate(10, 10 * MS, now), candidate(10, 100 * MS, now));
        let mut changes = Vec::new();
        let mut last = 0;
        for tick in 0..6_000 {
            let age = tick * 100 * MS;
            let candidates = if choice.taken() == 0 { [slow, fast] } else { [fast, slow] };
            choice.next(Adaptive::Fastest, &candidates, now, age);
            if choice.taken() != last {
                last = choice.taken();
                changes.push(age);
            }
        }
        let within_a_minute =
            |from: &Duration| changes.iter().filter(|at| (*from..*from + 60_000 * MS).contains(*at)).count();
        assert!(changes.iter().map(within_a_minute).all(|count| count <= 6), "{changes:?}");
        assert!(changes.len() >= 20, "it is not stuck: {changes:?}");
    }

    #[test]
    fn one_that_was_kept_for_a_minute_is_left_as_soon_as_the_first() {
        let (choice, now) = (Choice::default(), Instant::now());
        let (fast, slow) = (candidate(10, 10 * MS, now), candidate(10, 100 * MS, now));
        let take = |seconds: u32, candidates: [Candidate; 2]| {
            choice.next(Adaptive::Fastest, &candidates, now, seconds * 1_000 * MS);
            choice.taken()
        };
        assert_eq!(take(2, [slow, fast]), 1);
        assert_eq!(take(4, [fast, slow]), 0);
        assert_eq!(take(7, [slow, fast]), 0, "it is kept for longer");
        assert_eq!(take(8, [slow, fast]), 1);
        assert_eq!(take(68, [fast, slow]), 0);
        assert_eq!(take(70, [slow, fast]), 1);
    }

    #[test]
    fn what_is_not_known_is_explored_more_often_than_what_is_stale() {
        let now = Instant::now();
        let later = now + 2_000 * MS;
        let explored = |other: Candidate| {
            let (choice, own) = (Choice::default(), candidate(10, 10 * MS, later));
            (0..100).filter(|_| choice.next(Adaptive::Fastest, &[own, other], later, MS) == 1).count()
        };
        assert_eq!(explored(candidate(1, 10 * MS, later)), 10);
        assert_eq!(explored(candidate(10, 10 * MS, now)), 2);
        assert_eq!(explored(candidate(10, 10 * MS, later)), 0);
    }
}
