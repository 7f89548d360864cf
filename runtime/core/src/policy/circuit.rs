use std::time::Duration;

use tokio::time::Instant;

/// Whether a way to a peer works, as probes and calls have shown: the circuit breaker of one transport to one peer.
///
/// A way that fails is set aside, for a pause that grows with each failure, and let in again by a probe alone, so that
/// no call pays for finding out. Source: [Circuit Breaker](https://martinfowler.com/bliki/CircuitBreaker.html).
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    state: BreakerState,
    /// How often the way failed in a row, with hardly any time between.
    failures: u32,
    /// When it began to work.
    since: Option<Instant>,
    /// How long it is left alone at most.
    longest: Duration,
}

/// What is known of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakerState {
    /// Not tried yet.
    Untried,
    /// It works.
    Closed,
    /// It worked, and does not answer. Calls go elsewhere while a probe finds out.
    Suspected,
    /// It does not work, and is left alone until then.
    Open { until: Instant },
    /// It did not work, and a probe is under way.
    HalfOpen,
}

/// The first pause, and the default of the longest. A recovered subchannel is used again within the longest pause and the
/// duration of a probe.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A subchannel that has worked for this long has recovered, and its pauses are reset. One that fails repeatedly is paused
/// for longer each time.
const STABLE: Duration = Duration::from_secs(30);

impl Circuit {
    /// That of a way that is left alone for this long at most.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { state: BreakerState::Untried, failures: 0, since: None, longest }
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.state
    }

    /// When a probe is to be made, where one is.
    pub(crate) fn probe_at(&self, now: Instant) -> Option<Instant> {
        match self.state {
            BreakerState::Suspected => Some(now),
            BreakerState::Open { until } => Some(until),
            BreakerState::Untried | BreakerState::Closed | BreakerState::HalfOpen => None,
        }
    }

    /// A probe is under way.
    pub(crate) fn probing(&mut self) {
        if let BreakerState::Open { .. } = self.state {
            self.state = BreakerState::HalfOpen;
        }
    }

    /// It works.
    pub(crate) fn proved(&mut self, now: Instant) {
        if self.state != BreakerState::Closed {
            self.state = BreakerState::Closed;
            self.since = Some(now);
        }
    }

    /// It does not answer, which may be the calls' own doing.
    pub(crate) fn suspect(&mut self) {
        if self.state == BreakerState::Closed {
            self.state = BreakerState::Suspected;
        }
    }

    /// It does not work; `random` is from 0 to 1, and spreads those who failed together. It was `misled` where no call has
    /// been answered since a probe was.
    pub(crate) fn failed(&mut self, now: Instant, random: f64, misled: bool) {
        if let BreakerState::Open { .. } = self.state {
            return;
        }
        let recovered = self.since.is_some_and(|since| now.duration_since(since) >= STABLE);
        let failures = if recovered { 0 } else { self.failures };
        // Where probes get through again and calls do not, calls pay for each time that it is let in.
        let misled = misled && failures > 0 && self.state == BreakerState::Suspected;
        self.since = None;
        self.failures = failures + 1;
        let pause = pause(if misled { u32::MAX } else { failures }, random, self.longest);
        self.state = BreakerState::Open { until: now + pause };
    }

    /// How often it failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

/// The pause behind so many earlier failures: doubled each time, less a fifth at random.
fn pause(failures: u32, random: f64, longest: Duration) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
    doubled.min(longest).mul_f64(1.0 - 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Proved,
        Suspect,
        Failed(bool),
        Probing,
        Time(u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Proved),
            Just(Event::Suspect),
            any::<bool>().prop_map(Event::Failed),
            Just(Event::Probing),
            (0_u64..40_000).prop_map(Event::Time),
        ]
    }

    proptest! {
        #[test]
        fn a_way_that_is_not_closed_is_always_probed_within_the_longest_pause(events in proptest::collection::vec(event(), 0..60)) {
            let mut circuit = Circuit::new(LONGEST_PAUSE);
            let mut now = Instant::now();
            for event in events {
                match event {
                    Event::Proved => circuit.proved(now),
                    Event::Suspect => circuit.suspect(),
                    Event::Failed(misled) => circuit.failed(now, 0.5, misled),
                    Event::Probing => circuit.probing(),
                    Event::Time(ms) => now += Duration::from_millis(ms),
                }
                match circuit.state() {
                    BreakerState::Untried | BreakerState::Closed | BreakerState::HalfOpen => prop_assert_eq!(circuit.probe_at(now), None),
                    BreakerState::Suspected => prop_assert_eq!(circuit.probe_at(now), Some(now)),
                    BreakerState::Open { until } => {
                        prop_assert_eq!(circuit.probe_at(now), Some(until));
                        prop_assert!(until <= now + LONGEST_PAUSE);
                    }
                }
            }
        }
    }

    #[test]
    fn pauses_grow_while_a_way_keeps_failing_and_begin_anew_once_it_has_been_stable() {
        let mut now = Instant::now();
        let mut circuit = Circuit::new(LONGEST_PAUSE);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            circuit.failed(now, 0.0, false);
            let BreakerState::Open { until } = circuit.state() else { panic!("it is set aside") };
            pauses.push(until.duration_since(now).as_millis());
            now = until;
            circuit.probing();
            assert_eq!(circuit.state(), BreakerState::HalfOpen);
            circuit.proved(now);
            now += Duration::from_secs(1);
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        now += STABLE;
        circuit.failed(now, 0.0, false);
        assert_eq!(circuit.state(), BreakerState::Open { until: now + FIRST_PAUSE });
    }

    #[test]
    fn one_that_probes_find_well_and_calls_do_not_is_left_alone_for_long_from_the_second_time_on() {
        let mut now = Instant::now();
        let mut circuit = Circuit::new(LONGEST_PAUSE);
        let mut pauses = Vec::new();
        for misled in [true, true, false] {
            circuit.proved(now);
            circuit.suspect();
            circuit.failed(now, 0.0, misled);
            let BreakerState::Open { until } = circuit.state() else { panic!("it is set aside") };
            pauses.push(until.duration_since(now).as_millis());
            now = until;
            circuit.probing();
        }
        assert_eq!(pauses, [250, 15_000, 1_000]);
    }

    #[test]
    fn one_that_is_open_is_not_set_aside_for_longer_by_calls_that_began_before() {
        let now = Instant::now();
        let mut circuit = Circuit::new(LONGEST_PAUSE);
        circuit.failed(now, 0.0, false);
        let first = circuit.state();
        circuit.failed(now + Duration::from_millis(100), 0.0, false);
        circuit.suspect();
        assert_eq!((circuit.state(), circuit.failures()), (first, 1));
    }
}
