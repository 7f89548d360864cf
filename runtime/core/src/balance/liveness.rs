use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// The liveness of a connection while calls wait on it. Every call can update it cheaply, so that no call needs a timer of
/// its own to detect a dead path.
#[derive(Debug)]
pub(super) struct Liveness {
    epoch: Instant,
    waiting: AtomicU32,
    /// How many streams have begun to be answered, and have not ended.
    streams: AtomicU32,
    /// When the last sign of life came, or the first of the waiting calls was made, in microseconds of `epoch`.
    since: AtomicU64,
    /// How long a silence is not remarkable, in milliseconds.
    patience: AtomicU64,
    /// When a call ended without an answer, where none has come since, in microseconds of `epoch`; otherwise 0.
    missed: AtomicU64,
}

/// How long a silence is remarkable at first, and at most. Where calls take longer than that and the way is found to be
/// well, it is twice as long the next time.
const PATIENCE: Duration = Duration::from_millis(500);
const MOST_PATIENCE: Duration = Duration::from_secs(4);

/// How long a silence is not remarkable where nothing waits but streams that are open: they may have nothing to say.
pub(super) const PATIENCE_WITH_STREAMS: Duration = MOST_PATIENCE;

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            waiting: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            since: AtomicU64::new(0),
            patience: AtomicU64::new(PATIENCE.as_millis() as u64),
            missed: AtomicU64::new(0),
        }
    }

    /// A call waits for its answer from now on.
    pub(super) fn begin(&self, now: Instant) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 && !self.goes_on(now) {
            self.beat(now);
        }
    }

    /// One that waited was given up, for it was not answered in time.
    pub(super) fn miss(&self, now: Instant) {
        self.missed.store(self.micros(now).max(1), Ordering::Relaxed);
    }

    /// Whether the silence of a call that was given up just now goes on: one call after the other may be too short to
    /// show it.
    fn goes_on(&self, now: Instant) -> bool {
        let missed = self.missed.load(Ordering::Relaxed);
        missed != 0 && self.micros(now).saturating_sub(missed) < PATIENCE.as_micros() as u64
    }

    /// One waits no more.
    pub(super) fn end(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The peer has shown that it is there.
    pub(super) fn beat(&self, now: Instant) {
        self.since.store(self.micros(now), Ordering::Relaxed);
        if self.missed.load(Ordering::Relaxed) != 0 {
            self.missed.store(0, Ordering::Relaxed);
        }
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether calls wait and have waited for remarkably long without a sign of life.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        let silence = self.micros(now).saturating_sub(self.since.load(Ordering::Relaxed));
        self.waiting() > 0 && silence >= 1_000 * self.patience.load(Ordering::Relaxed)
    }

    /// A stream has begun to be answered.
    pub(super) fn stream_opened(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// One has ended.
    pub(super) fn stream_ended(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// When the silence of the streams that are open becomes remarkable; `None` where none is.
    pub(super) fn streams_are_silent_at(&self) -> Option<Instant> {
        (self.streams.load(Ordering::Relaxed) > 0).then(|| self.heard() + PATIENCE_WITH_STREAMS)
    }

    /// When the last sign of life came, or the first of the waiting calls was made.
    pub(super) fn heard(&self) -> Instant {
        self.epoch + Duration::from_micros(self.since.load(Ordering::Relaxed))
    }

    /// The silence was the calls' own doing.
    pub(super) fn false_alarm(&self) {
        let longer = 2 * self.patience.load(Ordering::Relaxed);
        self.patience.store(longer.min(MOST_PATIENCE.as_millis() as u64), Ordering::Relaxed);
    }

    /// The silence was the way's.
    pub(super) fn alarm(&self) {
        self.patience.store(PATIENCE.as_millis() as u64, Ordering::Relaxed);
    }

    /// How long this has been kept.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_silent_only_while_calls_wait_and_nothing_comes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let liveness = Liveness::new(start);
        assert!(!liveness.is_silent(at(10_000)), "no call waits");
        liveness.begin(at(10_000));
        liveness.begin(at(10_400));
        assert!(!liveness.is_silent(at(10_499)));
        assert!(liveness.is_silent(at(10_500)));
        liveness.beat(at(10_500));
        assert!(!liveness.is_silent(at(10_999)));
        liveness.false_alarm();
        assert!(!liveness.is_silent(at(11_499)));
        assert!(liveness.is_silent(at(11_500)));
        liveness.end();
        liveness.end();
        assert!(!liveness.is_silent(at(60_000)));
    }

    #[test]
    fn the_silence_of_short_calls_in_a_row_adds_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let liveness = Liveness::new(start);
        let give_up = |begun: u64| {
            liveness.begin(at(begun));
            liveness.miss(at(begun + 100));
            liveness.end();
        };
        give_up(1_000);
        give_up(1_300);
        liveness.begin(at(1_600));
        assert!(liveness.is_silent(at(1_600)));
        liveness.beat(at(1_650));
        liveness.end();
        give_up(2_000);
        liveness.begin(at(9_000));
        assert!(!liveness.is_silent(at(9_400)), "no call has waited for long");
    }
}
