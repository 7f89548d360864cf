//! Call counts of a recent time window.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use prometheus::core::Metric as _;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Metrics, Side, call::Series, families::SECONDS};
use polywire_core::Code;

/// The calls that ended within a time window.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recent {
    /// The actual length of the window: up to 5 s more than requested, or less if the node has not run for so long.
    pub window: Duration,
    /// The calls by method and transport, without empty entries.
    pub calls: Vec<RecentCalls>,
}

/// The calls of one method over one transport that ended within a time window.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecentCalls {
    /// Whether the calls are incoming or outgoing.
    pub side: Side,
    /// The service, `package.Service`.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// The transport.
    pub transport: &'static str,
    /// The number of calls by code.
    pub by_code: [u64; Code::ALL.len()],
    /// The number of calls by duration: each entry counts durations up to the bound of the same index in
    /// [`bounds`](Self::bounds) and above the previous bound; the last entry counts those above all bounds.
    pub durations: [u64; SECONDS.len() + 1],
}

impl RecentCalls {
    /// The upper bounds of the durations in seconds, those of `polywire_server_call_duration_seconds`.
    pub const fn bounds() -> &'static [f64] {
        SECONDS
    }
}

/// The interval of readings, and the least time to keep one.
const INTERVAL: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// Readings of the last five minutes, and an earlier one as a base.
pub(super) struct Ring(VecDeque<(Instant, Readings)>);

/// The counters of calls at one moment. Unchanged ones are shared with the previous moment.
type Readings = BTreeMap<(Side, [&'static str; 3]), Arc<Reading>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    by_code: [u64; Code::ALL.len()],
    durations: [u64; SECONDS.len() + 1],
}

impl Ring {
    pub(super) fn new() -> Self {
        Self(VecDeque::from([(Instant::now(), Readings::new())]))
    }

    fn keep(&mut self, now: Instant, mut readings: Readings) {
        if let Some((_, before)) = self.0.back() {
            for (key, reading) in &mut readings {
                if let Some(same) = before.get(key).filter(|before| *before == reading) {
                    *reading = same.clone();
                }
            }
        }
        self.0.push_back((now, readings));
        // The newest reading of sufficient age stays, as the base of the longest window.
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LONGEST) {
            self.0.pop_front();
        }
    }

    /// The latest reading of at least this age, or the oldest one.
    fn before(&self, now: Instant, window: Duration) -> Option<&(Instant, Readings)> {
        let old = |(at, _): &&(Instant, Readings)| now.saturating_duration_since(*at) >= window;
        self.0.iter().rev().find(old).or_else(|| self.0.front())
    }
}

impl Reading {
    fn zero() -> Self {
        Self { by_code: [0; Code::ALL.len()], durations: [0; SECONDS.len() + 1] }
    }

    /// Reads a series. Another series with the same labels has the same counters, but may lack unused ones.
    fn read(&mut self, series: &Series) {
        for (calls, counter) in self.by_code.iter_mut().zip(&series.by_code) {
            if let Some(counter) = counter.get() {
                *calls = counter.get();
            }
        }
        let metric = series.duration.metric();
        let histogram = metric.get_histogram();
        let mut below = 0;
        let cumulative = histogram.get_bucket().iter().map(|bucket| bucket.cumulative_count());
        for (calls, up_to) in self.durations.iter_mut().zip(cumulative.chain([histogram.get_sample_count()]))
        {
            *calls = up_to.saturating_sub(below);
            below = up_to;
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        let pairs = since.by_code.iter_mut().zip(&earlier.by_code);
        for (now, before) in pairs.chain(since.durations.iter_mut().zip(&earlier.durations)) {
            *now = now.saturating_sub(*before);
        }
        since
    }
}

impl Metrics {
    /// The calls that ended within the last `window`, at most 5 minutes: those since the latest reading of at least that
    /// age. A node keeps a reading every 5 s; without a node, the window starts at the creation of the metrics.
    pub fn recent(&self, window: Duration) -> Recent {
        let (now, readings) = (Instant::now(), self.readings());
        let ring = self.ring();
        let nothing = (now, Readings::new());
        let (at, before) = ring.before(now, window.min(LONGEST)).unwrap_or(&nothing);
        let calls = readings.iter().map(|(key, reading)| {
            let (side, [service, method, transport]) = *key;
            let earlier = before.get(key).map_or_else(Reading::zero, |earlier| **earlier);
            let Reading { by_code, durations } = reading.since(&earlier);
            RecentCalls { side, service, method, transport, by_code, durations }
        });
        let any = |calls: &RecentCalls| calls.by_code.iter().any(|calls| *calls > 0);
        Recent { window: now.saturating_duration_since(*at), calls: calls.filter(any).collect() }
    }

    /// Keeps periodic readings for [`recent`](Self::recent) while it is polled.
    pub(crate) async fn keep_recent(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let readings = self.readings();
            self.ring().keep(Instant::now(), readings);
        }
    }

    fn readings(&self) -> Readings {
        let mut readings: BTreeMap<_, Reading> = BTreeMap::new();
        for (key, call) in self.inner.calls.load().iter() {
            let (side, series) = (key.side(), call.series());
            readings.entry((side, series.labels)).or_insert_with(Reading::zero).read(series);
        }
        readings.into_iter().map(|(key, reading)| (key, Arc::new(reading))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn call(metrics: &Metrics, transport: &'static str, code: Code) {
        metrics.call(Side::Server, "shop.v1.Shop", "Buy", transport).start().finish(code);
    }

    /// How many calls ended with each code over gRPC, and the window.
    fn recent(metrics: &Metrics, window: Duration) -> (Vec<(usize, u64)>, Duration) {
        let recent = metrics.recent(window);
        let own = recent.calls.iter().filter(|calls| calls.transport == "grpc");
        let codes = own.flat_map(|calls| calls.by_code.into_iter().enumerate());
        (codes.filter(|(_, calls)| *calls > 0).collect(), recent.window)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_ended_within_the_window_is_told() {
        let metrics = Metrics::new();
        call(&metrics, "grpc", Code::Ok);
        let keeping = tokio::spawn(metrics.clone().keep_recent());
        tokio::time::sleep(Duration::from_millis(7_500)).await;
        call(&metrics, "grpc", Code::NotFound);
        assert_eq!(recent(&metrics, 60 * SECOND), (vec![(0, 1), (5, 1)], Duration::from_millis(7_500)));
        tokio::time::sleep(60 * SECOND).await;
        call(&metrics, "grpc", Code::Unavailable);
        assert_eq!(recent(&metrics, 60 * SECOND), (vec![(5, 1), (14, 1)], Duration::from_millis(62_500)));
        assert_eq!(recent(&metrics, SECOND), (vec![(14, 1)], Duration::from_millis(2_500)));
        tokio::time::sleep(600 * SECOND).await;
        assert_eq!(recent(&metrics, 60 * SECOND).0, []);
        let (_, longest) = recent(&metrics, 3_600 * SECOND);
        assert!((LONGEST..LONGEST + INTERVAL).contains(&longest), "{longest:?}");
        let kept = metrics.ring().0.len();
        assert!(kept <= 62, "{kept} readings");
        keeping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn durations_are_told_by_the_buckets_that_they_fall_into() {
        let metrics = Metrics::new();
        for wait in [Duration::ZERO, Duration::from_millis(20), Duration::from_secs(90)] {
            let in_flight = metrics.call(Side::Client, "shop.v1.Shop", "Buy", "iroh").start();
            tokio::time::advance(wait).await;
            in_flight.finish(Code::Ok);
        }
        let recent = metrics.recent(60 * SECOND);
        let [calls] = &recent.calls[..] else { panic!("one series: {recent:?}") };
        assert_eq!((calls.side, calls.service, calls.transport), (Side::Client, "shop.v1.Shop", "iroh"));
        let last = SECONDS.len();
        let filled: Vec<_> = calls.durations.iter().enumerate().filter(|(_, calls)| **calls > 0).collect();
        assert_eq!(filled, [(0, &1), (7, &1), (last, &1)]);
        assert_eq!(RecentCalls::bounds()[7], 0.025);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_names_at_two_addresses_are_told_once() {
        let metrics = Metrics::new();
        call(&metrics, "grpc", Code::Ok);
        let elsewhere = String::from("shop.v1.Shop").leak();
        metrics.call(Side::Server, elsewhere, "Buy", "grpc").start().finish(Code::Aborted);
        assert_eq!(recent(&metrics, SECOND).0, [(0, 1), (10, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_is_kept_once() {
        let metrics = Metrics::new();
        call(&metrics, "grpc", Code::Ok);
        let keeping = tokio::spawn(metrics.clone().keep_recent());
        tokio::time::sleep(12 * SECOND).await;
        let ring = metrics.ring();
        let readings: Vec<_> = ring.0.iter().filter_map(|(_, readings)| readings.values().next()).collect();
        assert!(readings.len() >= 3 && readings.iter().all(|other| Arc::ptr_eq(other, readings[0])));
        keeping.abort();
    }
}
