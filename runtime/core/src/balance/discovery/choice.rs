//! Which member of a cluster takes a call: the cheaper of two that are drawn at random among the best.
//!
//! Two are nearly as good as a look at all of them, and callers that all see the same do not all run to the same one.
//! Source: [Mitzenmacher, The Power of Two Choices in Randomized Load
//! Balancing](https://www.eecs.harvard.edu/~michaelm/postscripts/tpds2001.pdf); the cost is that of [Finagle's peak
//! EWMA](https://twitter.github.io/finagle/guide/Clients.html#power-of-two-choices-p2c-peak-ewma).

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::score::Score;

/// What a member that is drawn is compared by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// How many calls wait for its answer.
    pub(super) in_flight: u32,
    /// How the service has been doing there.
    pub(super) score: Score,
}

/// The decay of an uncalled member's cost: after this time it is a third of what it was.
const FORGETTING: Duration = Duration::from_secs(10);

/// Draws two of these, each of which has a rank, from those of the lowest rank; `random` gives a number below the one it
/// is given.
pub(super) fn draw(
    candidates: impl Iterator<Item = (usize, u8)>,
    mut random: impl FnMut(usize) -> usize,
) -> Option<(usize, Option<usize>)> {
    let (mut best, mut count, mut drawn) = (u8::MAX, 0, (None, None));
    for (place, rank) in candidates.filter(|(_, rank)| *rank < u8::MAX) {
        if rank > best {
            continue;
        }
        if rank < best {
            (best, count, drawn) = (rank, 0, (None, None));
        }
        count += 1;
        // Each of those seen so far is one of the two with the same chance (reservoir sampling).
        match (count, if count > 2 { random(count) } else { count - 1 }) {
            (_, 0) => drawn.0 = Some(place),
            (_, 1) => drawn.1 = Some(place),
            _ => {}
        }
    }
    match drawn {
        // Neither comes first by its place: those that cost the same are taken as often.
        (Some(one), Some(other)) if random(2) == 0 => Some((other, Some(one))),
        (one, other) => Some((one?, other)),
    }
}

/// Latencies are told apart where one is this many times the other: what is less is noise, by which all calls of a caller
/// who makes one at a time would go to the same member.
const TELLING: f64 = 2.0;

/// Whether the first is at least as cheap as the second: by (calls in flight + 1) × latency, with failures counted in. One
/// of whose latency too little is known counts as if it were as fast as the other.
pub(super) fn is_cheaper(one: Load, other: Load, now: Instant) -> bool {
    let (kept, other_kept) = (kept(&one.score, now), kept(&other.score, now));
    let (first, second) = match (one.score.cost(), other.score.cost()) {
        (Some(first), Some(second)) => (first * kept, second * other_kept),
        _ => {
            let failing = |score: &Score, kept| 1.0 + (score.failure_cost() - 1.0) * kept;
            (failing(&one.score, kept), failing(&other.score, other_kept))
        }
    };
    let tells = first.max(second) >= TELLING * first.min(second);
    let (first, second) = if tells { (first, second) } else { (1.0, 1.0) };
    f64::from(one.in_flight + 1) * first <= f64::from(other.in_flight + 1) * second
}

/// The share of a cost that is not forgotten yet.
fn kept(score: &Score, now: Instant) -> f64 {
    let idle = score.at().map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
    (-idle.as_secs_f64() / FORGETTING.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::verdict::Verdict;

    fn load(in_flight: u32, took: u64, now: Instant) -> Load {
        let mut score = Score::default();
        for _ in 0..10 {
            score.note(now, Duration::from_millis(took), Verdict::Works);
        }
        Load { in_flight, score }
    }

    #[test]
    fn the_best_rank_is_drawn_from_and_each_of_it_as_often() {
        let random = &mut fastrand::Rng::with_seed(7);
        let mut drawn = [0; 6];
        for _ in 0..6_000 {
            let candidates = [(0, 1), (1, 0), (2, 0), (3, u8::MAX), (4, 0), (5, 0)].into_iter();
            let (one, other) = draw(candidates, |below| random.usize(..below)).unwrap();
            let other = other.unwrap();
            assert_ne!(one, other);
            drawn[one] += 1;
            drawn[other] += 1;
        }
        assert_eq!((drawn[0], drawn[3]), (0, 0));
        for place in [1, 2, 4, 5] {
            assert!((2_800..=3_200).contains(&drawn[place]), "{drawn:?}");
        }
    }

    #[test]
    fn of_one_there_is_no_choice_and_of_none_nothing() {
        assert_eq!(draw([(3, 2)].into_iter(), |_| 0), Some((3, None)));
        assert_eq!(draw([(3, u8::MAX)].into_iter(), |_| 0), None);
        assert_eq!(draw(std::iter::empty(), |_| 0), None);
    }

    #[test]
    fn the_faster_is_cheaper_until_it_has_more_to_do() {
        let now = Instant::now();
        assert!(!is_cheaper(load(0, 25, now), load(0, 10, now), now));
        assert!(is_cheaper(load(1, 10, now), load(0, 25, now), now));
        assert!(!is_cheaper(load(2, 10, now), load(0, 25, now), now));
        assert!(is_cheaper(load(0, 15, now), load(0, 10, now), now), "that is noise");
        let unknown = Load { in_flight: 0, score: Score::default() };
        assert!(is_cheaper(unknown, load(1, 1, now), now));
        assert!(!is_cheaper(load(1, 1, now), unknown, now), "it is tried");
        assert!(is_cheaper(load(0, 1, now), unknown, now));
    }

    #[test]
    fn one_that_was_slow_is_tried_again() {
        let then = Instant::now();
        let slow = load(0, 100, then);
        assert!(!is_cheaper(slow, load(0, 10, then), then));
        let now = then + Duration::from_secs(25);
        assert!(is_cheaper(slow, load(0, 10, now), now));
    }
}
