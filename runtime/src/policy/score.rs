use std::time::Duration;

use tokio::time::Instant;

/// How well a service is reached over one transport: moving averages of how long its calls take and of how many fail.
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
}

/// After this long without news an average has forgotten two thirds of what it was.
const MEMORY: Duration = Duration::from_secs(10);

/// The least and the most that a call counts for in the average: twenty calls make one, however fast they come, and no
/// single one does.
const LEAST: f64 = 0.05;
const MOST: f64 = 0.5;

/// How much more a slower call counts than a faster one.
const RISE: f64 = 4.0;

/// A call is remarkably slow that takes so many times the average. One or two in a row count as if they had taken that, and no
/// more than faster ones do: they are somebody's bad luck, and only the third says that something has changed.
const REMARKABLE: f64 = 2.0;
const BAD_LUCK: u8 = 2;

/// A transport over which every call fails is as bad as one that takes this much longer.
const ERROR_COST: f64 = 20.0;

/// From so many calls on an average means something.
const ENOUGH: u64 = 5;

impl Score {
    /// A call ended after so long, well or not. How long a failure took says nothing of the transport.
    pub(crate) fn note(&mut self, now: Instant, took: Duration, well: bool) {
        let past = self.at.map_or(MEMORY, |at| now.saturating_duration_since(at));
        let weight = weight(past);
        self.at = Some(now);
        self.errors += ((if well { 0.0 } else { 1.0 }) - self.errors) * weight;
        if !well {
            return;
        }
        self.samples += 1;
        let took = took.as_secs_f64();
        self.latency = if self.samples == 1 { took } else { self.latency + self.step(took, weight) };
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
        let known = self.samples >= ENOUGH || self.errors > 0.5;
        known.then(|| self.latency.max(1e-6) * (1.0 + ERROR_COST * self.errors))
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
            score.note(now, Duration::from_millis(*took), true);
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
            score.note(now, Duration::from_millis(10), true);
        }
        let well = score.cost().unwrap();
        for _ in 0..20 {
            score.note(now, Duration::from_millis(1), false);
        }
        assert!(score.cost().unwrap() > 5.0 * well);
        assert!(score.latency().unwrap() <= Duration::from_millis(11), "a failure's time is no latency");
        for _ in 0..20 {
            now += Duration::from_secs(3);
            score.note(now, Duration::from_millis(10), true);
        }
        assert!(score.cost().unwrap() < 1.1 * well);
    }

    #[test]
    fn before_there_is_enough_nothing_is_claimed() {
        assert_eq!(after(&[(1, 1); 4]).cost(), None);
        assert!(after(&[(1, 1); 5]).cost().is_some());
    }
}
