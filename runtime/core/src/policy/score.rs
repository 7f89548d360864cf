use std::time::Duration;

use tokio::time::Instant;

use super::verdict::Verdict;

/// How well a service is reached over one transport, or at one member of a cluster: moving averages of how long its calls
/// take and of how many fail, and whether it is left alone because too many do.
///
/// An average follows a rise at once and a fall slowly, as the *peak EWMA* does, because what becomes slow hurts now and
/// what becomes fast can wait; and it forgets by time, so that a hundred calls in a second count as much as one.
/// Source: [peak EWMA in Finagle](https://twitter.github.io/finagle/guide/Clients.html#power-of-two-choices-p2c-peak-ewma).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    latency: f64,
    errors: f64,
    samples: u64,
    /// How many of the last calls in a row took remarkably long.
    slow: u8,
    at: Option<Instant>,
    trials: Trials,
}

/// How one that is left alone is tried.
#[derive(Clone, Copy, Debug, Default)]
struct Trials {
    /// When the next is due.
    due: Option<Instant>,
    /// Whether one is under way.
    under_way: bool,
    /// How many in a row have failed, and have gone well.
    failed: u32,
    passed: u8,
}

/// After this long without news an average has forgotten two thirds of what it was.
const MEMORY: Duration = Duration::from_secs(10);

/// The least and the most that a call counts for in the average: twenty calls make one, however fast they come, and no
/// single one does.
const LEAST: f64 = 0.05;
const MOST: f64 = 0.5;

/// How much more a slower call counts than a faster one.
const RISE: f64 = 4.0;

/// A call is an outlier if it takes this many times the average. One or two in a row are clamped to that value, as they are
/// chance; only the third in a row indicates a change.
const REMARKABLE: f64 = 2.0;
const BAD_LUCK: u8 = 2;

/// A transport over which every call fails is as bad as one that takes this much longer.
const ERROR_COST: f64 = 20.0;

/// From so many calls on an average means something.
const ENOUGH: u64 = 5;

/// One of which so much more of the calls fail than of those of the best is an outlier, and is left alone while the best
/// works: more than chance makes of averages that are alike, and soon seen where each call fails, after seven. (Fewer
/// failures than that only cost.)
const OUTLIER: f64 = 0.3;

/// How long an outlier is left alone before a call tries it: at first, and at most. The time doubles with each trial that
/// fails, so that a hundredth of the calls is enough where there are twenty a second.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// So many trials in a row, one behind the other, have to go well before it is taken for one that works.
const PROOFS: u8 = 3;

impl Score {
    /// A call ended so after so long. What a failure took says nothing of how fast it is; what a refusal took, only where it
    /// was more than usual.
    pub(crate) fn note(&mut self, now: Instant, took: Duration, verdict: Verdict) {
        let past = self.at.map_or(MEMORY, |at| now.saturating_duration_since(at));
        let weight = weight(past);
        self.at = Some(now);
        self.errors += (f64::from(u8::from(verdict.is_bad())) - self.errors) * weight;
        self.judge_trial(now, verdict);
        let took = took.as_secs_f64();
        let counts = match verdict {
            Verdict::Works => true,
            Verdict::Refuses => self.samples > 0 && took > self.latency,
            Verdict::Overloaded | Verdict::Fails => false,
        };
        if counts {
            self.samples += 1;
            self.latency = if self.samples == 1 { took } else { self.latency + self.step(took, weight) };
        }
    }

    /// What a call that ended says of whether it is to be tried again.
    fn judge_trial(&mut self, now: Instant, verdict: Verdict) {
        let trials = &mut self.trials;
        let was_trial = std::mem::take(&mut trials.under_way);
        match (verdict.is_bad(), was_trial) {
            (true, _) => {
                trials.failed = trials.failed.saturating_add(u32::from(was_trial));
                trials.passed = 0;
                let rest = REST.saturating_mul(1 << trials.failed.min(16)).min(LONGEST_REST);
                trials.due = Some(now + rest);
            }
            (false, true) if trials.passed + 1 == PROOFS => {
                *trials = Trials::default();
                self.errors = 0.0;
            }
            (false, true) => {
                trials.passed += 1;
                trials.due = Some(now);
            }
            // One that began before it was left alone, or one of many where it is not.
            (false, false) => {}
        }
    }

    /// Whether a trial of one that is left alone is due; it is taken to be under way then.
    pub(crate) fn try_again(&mut self, now: Instant) -> bool {
        let due = self.trials.due.is_none_or(|due| due <= now);
        if due {
            self.trials.under_way = true;
            // One that never ends is not the last.
            self.trials.due = Some(now + LONGEST_REST);
        }
        due
    }

    /// Whether so many calls fail that it is to be left alone, where those of another fail by this share.
    pub(crate) fn is_outlier(&self, least: f64) -> bool {
        self.errors > least + OUTLIER
    }

    /// Whether anything but the best could make an outlier of it.
    pub(crate) fn is_flawed(&self) -> bool {
        self.is_outlier(0.0)
    }

    /// The least share of calls that fail, of all of these; `None` where there are none. One that was never called is
    /// worth a try, where the others fail.
    pub(crate) fn least_errors<'a>(scores: impl Iterator<Item = &'a Self>) -> Option<f64> {
        scores.map(Self::errors).min_by(f64::total_cmp)
    }

    /// By how much a call that took so long moves the average.
    fn step(&mut self, took: f64, weight: f64) -> f64 {
        let remarkable = self.latency * REMARKABLE;
        self.slow = if took > remarkable { self.slow.saturating_add(1) } else { 0 };
        let (took, weight) = match self.slow {
            1..=BAD_LUCK => (remarkable, weight),
            _ if took > self.latency => (took, (weight * RISE).min(MOST)),
            _ => (took, weight),
        };
        (took - self.latency) * weight
    }

    /// The average of how long calls take; `None` before the first.
    pub(crate) fn latency(&self) -> Option<Duration> {
        (self.samples > 0).then(|| Duration::from_secs_f64(self.latency))
    }

    /// The share of calls that fail.
    pub(crate) fn errors(&self) -> f64 {
        self.errors
    }

    /// What a call costs in seconds, failures counted in; `None` before there is enough to tell.
    pub(crate) fn cost(&self) -> Option<f64> {
        (self.samples >= ENOUGH).then(|| self.latency.max(1e-6) * self.failure_cost())
    }

    /// How many times as much a call costs as it would if none failed.
    pub(crate) fn failure_cost(&self) -> f64 {
        1.0 + ERROR_COST * self.errors
    }

    /// When a call ended last.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }
}

/// How much a call counts that comes so long after the one before it.
fn weight(past: Duration) -> f64 {
    let past = past.as_secs_f64() / MEMORY.as_secs_f64();
    // 1 - exp(-x) is less than x: where calls come fast, nothing is to be calculated.
    if past <= LEAST { LEAST } else { (1.0 - (-past).exp()).clamp(LEAST, MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(calls: &[(u64, u64)]) -> Score {
        let (mut now, mut score) = (Instant::now(), Score::default());
        for (pause, took) in calls {
            now += Duration::from_millis(*pause);
            score.note(now, Duration::from_millis(*took), Verdict::Works);
        }
        score
    }

    #[test]
    fn a_rise_is_followed_faster_than_a_fall() {
        let steady = vec![(10, 10); 100];
        let rise = after(&[steady.clone(), vec![(10, 100); 6]].concat()).latency().unwrap();
        let fall = after(&[vec![(10, 100); 100], vec![(10, 10); 5]].concat()).latency().unwrap();
        assert!(rise > Duration::from_millis(55), "{rise:?}");
        assert!(fall > Duration::from_millis(55), "{fall:?}");
    }

    #[test]
    fn one_slow_call_or_two_do_not_make_an_average() {
        let score = after(&[vec![(10, 10); 100], vec![(10, 1_000); 2]].concat());
        assert!(score.latency().unwrap() < Duration::from_millis(12));
    }

    #[test]
    fn failures_cost_and_are_forgotten() {
        let mut now = Instant::now();
        let mut score = Score::default();
        for _ in 0..20 {
            now += Duration::from_millis(10);
            score.note(now, Duration::from_millis(10), Verdict::Works);
        }
        let well = score.cost().unwrap();
        for _ in 0..20 {
            score.note(now, Duration::from_millis(1), Verdict::Fails);
        }
        assert!(score.cost().unwrap() > 5.0 * well);
        assert!(score.latency().unwrap() <= Duration::from_millis(11), "a failure's time is no latency");
        for _ in 0..20 {
            now += Duration::from_secs(3);
            score.note(now, Duration::from_millis(10), Verdict::Works);
        }
        assert!(score.cost().unwrap() < 1.1 * well);
    }

    #[test]
    fn a_refusal_may_make_it_slower_and_never_faster() {
        let mut now = Instant::now();
        let mut score = Score::default();
        for _ in 0..100 {
            now += Duration::from_millis(10);
            score.note(now, Duration::from_micros(1), Verdict::Refuses);
        }
        assert_eq!((score.latency(), score.cost(), score.errors()), (None, None, 0.0));
        for (took, verdict) in [(10, Verdict::Works), (1, Verdict::Refuses), (1, Verdict::Fails)] {
            for _ in 0..100 {
                now += Duration::from_millis(10);
                score.note(now, Duration::from_millis(took), verdict);
            }
            assert_eq!(score.latency().unwrap().as_millis(), 10, "{verdict:?}");
        }
        for _ in 0..100 {
            now += Duration::from_millis(10);
            score.note(now, Duration::from_millis(100), Verdict::Refuses);
        }
        assert!(score.latency().unwrap() > Duration::from_millis(90));
    }

    #[test]
    fn one_that_fails_is_left_alone_for_longer_each_time_and_taken_back_after_three_proofs() {
        let start = Instant::now();
        let mut score = Score::default();
        let fail = |score: &mut Score, now| score.note(now, Duration::ZERO, Verdict::Fails);
        (0..30).for_each(|_| fail(&mut score, start));
        assert!(score.is_outlier(0.0) && !score.is_outlier(0.8), "it is compared");
        let (mut now, mut rests) = (start, Vec::new());
        for _ in 0..5 {
            let begun = now;
            while !score.try_again(now) {
                now += Duration::from_millis(100);
            }
            assert!(!score.try_again(now), "one at a time");
            rests.push((now - begun).as_millis());
            fail(&mut score, now);
        }
        assert_eq!(rests, [1_000, 2_000, 4_000, 5_000, 5_000]);
        now += LONGEST_REST;
        for proof in 1..=PROOFS {
            assert!(score.is_outlier(0.0) && score.try_again(now), "{proof}");
            score.note(now, Duration::from_millis(10), Verdict::Works);
        }
        assert!(!score.is_flawed());
    }

    #[test]
    fn a_trial_that_never_ends_is_not_the_last() {
        let start = Instant::now();
        let mut score = Score::default();
        score.note(start, Duration::ZERO, Verdict::Fails);
        assert!(score.try_again(start + REST));
        assert!(!score.try_again(start + LONGEST_REST));
        assert!(score.try_again(start + REST + LONGEST_REST));
    }

    #[test]
    fn before_there_is_enough_nothing_is_claimed() {
        assert_eq!(after(&[(1, 1); 4]).cost(), None);
        assert!(after(&[(1, 1); 5]).cost().is_some());
    }
}
