use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// When a call that is not answered yet is made once more over another transport.
///
/// Source: [The Tail at Scale](https://research.google/pubs/the-tail-at-scale/), hedged requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hedge {
    /// After this long.
    After(Duration),
    /// Once it has taken longer than this percentage of the method's calls do; from 50 to 99.
    Percentile(u8),
}

/// Why a text is no [`Hedge`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} says of no moment to hedge at; expected a percentile from \"p50\" to \"p99\" or a duration such as \"20ms\""
)]
pub struct HedgeError(String);

impl FromStr for Hedge {
    type Err = HedgeError;

    fn from_str(text: &str) -> Result<Self, HedgeError> {
        let wrong = || HedgeError(text.to_owned());
        if let Some(percent) = text.strip_prefix('p') {
            let percent = percent.parse().map_err(|_| wrong())?;
            return (50..=99).contains(&percent).then_some(Self::Percentile(percent)).ok_or_else(wrong);
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let wait = match unit {
            "us" => Duration::from_micros(number),
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            _ => return Err(wrong()),
        };
        (!wait.is_zero()).then_some(Self::After(wait)).ok_or_else(wrong)
    }
}

impl fmt::Display for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(wait) if wait.subsec_micros() % 1_000 != 0 => write!(f, "{}us", wait.as_micros()),
            Self::After(wait) => write!(f, "{}ms", wait.as_millis()),
            Self::Percentile(percent) => write!(f, "p{percent}"),
        }
    }
}

/// How long the calls of a method take: a histogram that halves itself, so that it follows what changes.
///
/// Two buckets an octave, from 1 µs to half an hour; a percentile is known to within half.
pub(crate) struct Durations {
    buckets: [AtomicU32; BUCKETS],
    count: AtomicU64,
}

const BUCKETS: usize = 62;

/// After so many calls what was counted is halved.
const WINDOW: u64 = 2_048;

/// From so many calls on a percentile means something.
const ENOUGH: u64 = 32;

impl Durations {
    pub(crate) fn new() -> Self {
        Self { buckets: [const { AtomicU32::new(0) }; BUCKETS], count: AtomicU64::new(0) }
    }

    pub(crate) fn note(&self, took: Duration) {
        self.buckets[bucket(took)].fetch_add(1, Ordering::Relaxed);
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == WINDOW {
            // Calls that are counted meanwhile are not missed by much.
            for bucket in &self.buckets {
                bucket.store(bucket.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
            self.count.store(WINDOW / 2, Ordering::Relaxed);
        }
    }

    /// How long no more than this percentage of calls takes; `None` before there is enough to tell.
    pub(crate) fn percentile(&self, percent: u8) -> Option<Duration> {
        let counts = self.buckets.each_ref().map(|count| u64::from(count.load(Ordering::Relaxed)));
        let total: u64 = counts.iter().sum();
        if total < ENOUGH {
            return None;
        }
        let below = (total * u64::from(percent)).div_ceil(100);
        let sums = counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        sums.enumerate().find(|(_, sum)| *sum >= below).map(|(index, _)| upper(index))
    }
}

/// The bucket of a duration: twice its octave, and one more in the upper half.
fn bucket(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = us.ilog2() as usize;
    let half = if octave == 0 { 0 } else { (us >> (octave - 1)) as usize & 1 };
    (2 * octave + half).min(BUCKETS - 1)
}

/// The longest duration in a bucket.
fn upper(bucket: usize) -> Duration {
    let octave = 1_u64 << (bucket / 2);
    Duration::from_micros(if bucket.is_multiple_of(2) { octave + octave / 2 } else { 2 * octave })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_is_written() {
        for text in ["p95", "p50", "20ms", "250us"] {
            assert_eq!(text.parse::<Hedge>().unwrap().to_string(), text);
        }
        for wrong in ["", "p", "p49", "p100", "20", "0ms", "ms", "2h"] {
            assert!(wrong.parse::<Hedge>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_percentile_is_right_to_within_half() {
        let durations = Durations::new();
        assert_eq!(durations.percentile(95), None);
        for ms in 1..=1_000 {
            durations.note(Duration::from_millis(ms));
        }
        for percent in [50, 90, 95, 99] {
            let exact = Duration::from_millis(10 * u64::from(percent));
            let told = durations.percentile(percent).unwrap();
            assert!(told >= exact && told <= exact.mul_f64(1.5), "p{percent} {told:?}");
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let durations = Durations::new();
        (0..10_000).for_each(|_| durations.note(Duration::from_secs(1)));
        (0..30_000).for_each(|_| durations.note(Duration::from_millis(1)));
        assert!(durations.percentile(95).unwrap() < Duration::from_millis(3));
    }
}
