use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{Mutex, MutexGuard};

/// How long the handler of a method takes, as the servers that know tell: the same over every transport, so that it says
/// nothing of any.
#[derive(Debug, Default)]
pub(crate) struct HandlerTime(Mutex<Sampling>);

#[derive(Debug, Default)]
struct Sampling {
    average: Option<Duration>,
    /// When a call asked last.
    asked: Option<Instant>,
    /// How many have not since.
    unasked: u32,
}

/// One call in this many asks for the handler's time, and one after each such interval: often enough to be accurate, rarely
/// enough to be cheap.
const EVERY: u32 = 64;
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// How much the latest answer weighs in the average.
const WEIGHT: f64 = 0.25;

/// How much of the average is the handler's alone. The rest stays with the transports, so that a difference between them
/// which is small beside what a call takes anyway decides nothing.
const TAKEN_OFF: f64 = 0.9;

impl HandlerTime {
    /// Whether the call that is made now is to ask.
    pub(crate) fn asks(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let rested = state.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= AT_LEAST_EVERY);
        let asks = rested || state.unasked + 1 >= EVERY;
        state.unasked = if asks { 0 } else { state.unasked + 1 };
        if asks {
            state.asked = Some(now);
        }
        asks
    }

    /// The handler took so long.
    pub(crate) fn told(&self, took: Duration) {
        let mut state = self.lock();
        let weighed = |before: Duration| before.mul_f64(1.0 - WEIGHT) + took.mul_f64(WEIGHT);
        state.average = Some(state.average.map_or(took, weighed));
    }

    /// The share of a call's time that belongs to the handler; zero if unknown.
    pub(crate) fn taken_off(&self) -> Duration {
        self.lock().average.map_or(Duration::ZERO, |average| average.mul_f64(TAKEN_OFF))
    }

    fn lock(&self) -> MutexGuard<'_, Sampling> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_in_so_many_asks_and_each_that_comes_after_a_pause() {
        let (time, start) = (HandlerTime::default(), Instant::now());
        let asked = (0..=128).filter(|_| time.asks(start)).count();
        assert_eq!(asked, 3);
        assert!(!time.asks(start + AT_LEAST_EVERY / 2));
        assert!(time.asks(start + AT_LEAST_EVERY));
    }

    #[test]
    fn the_average_follows_what_is_told() {
        let time = HandlerTime::default();
        assert_eq!(time.taken_off(), Duration::ZERO);
        time.told(Duration::from_millis(100));
        assert_eq!(time.taken_off(), Duration::from_millis(90));
        (0..20).for_each(|_| time.told(Duration::from_millis(10)));
        assert!(time.taken_off() < Duration::from_millis(10));
    }
}
