use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// The refresh times of a cached value, cheap enough for a check by every call. The caller that is told to refresh must
/// report the outcome; no other caller is told before that.
#[derive(Debug)]
pub(super) struct Ttl {
    epoch: Instant,
    /// The time of expiry in microseconds since `epoch`; `ASKING` during a refresh.
    stale: AtomicU64,
    /// The start of the last refresh, or `NEVER`.
    asked: AtomicU64,
    /// How often asking failed in a row.
    failures: AtomicU64,
}

const ASKING: u64 = u64::MAX;
const NEVER: u64 = u64::MAX;

/// The shortest and the longest time for which an answer is taken for true, whatever it says of itself.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(600);

/// The pause behind the first failure, doubled behind each further one, and the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How soon those who are in a hurry are asked for again: what has just been heard is hardly wrong already, and a peer that
/// is gone for all has all of them ask.
const HURRY: Duration = Duration::from_millis(500);

/// The retry interval for a peer without a directory, which an update may add.
const SILENCE: Duration = Duration::from_secs(60);

impl Ttl {
    /// A value that was never fetched.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            stale: AtomicU64::new(0),
            asked: AtomicU64::new(NEVER),
            failures: AtomicU64::new(0),
        }
    }

    /// Whether it has gone stale, and the caller is to ask.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let stale = self.stale.load(Ordering::Relaxed);
        stale != ASKING && stale <= self.micros(now) && self.take(stale, now)
    }

    /// Whether the caller, who has reason to believe that it is not true any more, is to ask.
    pub(super) fn is_due_at_once(&self, now: Instant) -> bool {
        let (stale, asked) = (self.stale.load(Ordering::Relaxed), self.asked.load(Ordering::Relaxed));
        let rested = asked == NEVER || self.micros(now).saturating_sub(asked) >= HURRY.as_micros() as u64;
        stale != ASKING && rested && self.take(stale, now)
    }

    /// Whether a refresh is in progress.
    pub(super) fn is_asked(&self) -> bool {
        self.stale.load(Ordering::Relaxed) == ASKING
    }

    /// It was told, and is true for so long.
    pub(super) fn told(&self, now: Instant, ttl: Duration) {
        self.failures.store(0, Ordering::Relaxed);
        self.rest(now, ttl.clamp(LEAST, MOST));
    }

    /// Records that the peer has no directory.
    pub(super) fn silent(&self, now: Instant) {
        self.failures.store(0, Ordering::Relaxed);
        self.rest(now, SILENCE);
    }

    /// Records a failed refresh.
    pub(super) fn failed(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(16);
        self.rest(now, PAUSE.saturating_mul(1 << failures).min(LONGEST_PAUSE));
    }

    fn take(&self, stale: u64, now: Instant) -> bool {
        let taken = self.stale.compare_exchange(stale, ASKING, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if taken {
            self.asked.store(self.micros(now), Ordering::Relaxed);
        }
        taken
    }

    fn rest(&self, now: Instant, rest: Duration) {
        self.stale.store(self.micros(now + rest), Ordering::Relaxed);
    }

    fn micros(&self, now: Instant) -> u64 {
        let micros = now.saturating_duration_since(self.epoch).as_micros();
        u64::try_from(micros).unwrap_or(ASKING - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_asks_when_it_goes_stale_and_nobody_before_that() {
        let start = Instant::now();
        let ttl = Ttl::new(start);
        assert!(ttl.is_due(start));
        assert!(!ttl.is_due(start + 60_000 * MS), "a call asks already");
        assert!(!ttl.is_due_at_once(start + 60_000 * MS));
        ttl.told(start, 5_000 * MS);
        assert!(!ttl.is_due(start + 4_999 * MS));
        assert!(ttl.is_due(start + 5_000 * MS));
    }

    #[test]
    fn who_is_in_a_hurry_asks_earlier_and_not_all_the_time() {
        let start = Instant::now();
        let ttl = Ttl::new(start);
        assert!(ttl.is_due(start));
        ttl.told(start, 5_000 * MS);
        assert!(!ttl.is_due_at_once(start + 499 * MS));
        assert!(ttl.is_due_at_once(start + 500 * MS));
    }

    #[test]
    fn the_pauses_behind_failures_grow_and_are_bounded() {
        let mut now = Instant::now();
        let ttl = Ttl::new(now);
        let mut pauses = Vec::new();
        assert!(ttl.is_due(now));
        for _ in 0..8 {
            ttl.failed(now);
            let begun = now;
            while !ttl.is_due(now) {
                now += 250 * MS;
            }
            pauses.push((now - begun).as_millis());
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    }

    #[test]
    fn an_answer_is_believed_for_neither_no_time_nor_for_ever() {
        let start = Instant::now();
        for (told, believed) in [(Duration::ZERO, LEAST), (Duration::MAX, MOST)] {
            let ttl = Ttl::new(start);
            assert!(ttl.is_due(start));
            ttl.told(start, told);
            assert!(!ttl.is_due(start + believed - MS));
            assert!(ttl.is_due(start + believed));
        }
    }
}
