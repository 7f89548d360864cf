//! What is measured.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use crate::contestant::Result;

/// How one contestant took one turn.
#[derive(Clone, Debug)]
pub struct Sample {
    /// From the beginning of the first call to the end of the last one.
    pub elapsed: Duration,
    /// Processor time of the whole process, so of both ends.
    pub cpu: Duration,
    /// How many calls were made or, where a server streamed, messages received.
    pub count: u64,
    /// How many bytes each of them had, one way.
    pub size: usize,
    /// What each call took, in nanoseconds; each stream as a whole.
    pub latencies: Histogram<u64>,
}

impl Sample {
    /// Calls or messages per second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// MiB per second, counted one way.
    pub fn throughput(&self) -> f64 {
        self.rate() * self.size as f64 / f64::from(1 << 20)
    }

    /// Processor time per call or message, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    /// The latency that this share of the calls stayed under, in microseconds.
    pub fn latency_micros(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// The clocks of a turn that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    begun: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Begins.
    pub fn start() -> Self {
        Self { begun: Instant::now(), cpu: process_time() }
    }

    /// When it began.
    pub fn begun(self) -> Instant {
        self.begun
    }

    /// Ends, with this many calls or messages of this size.
    pub fn stop(self, count: u64, size: usize, latencies: Histogram<u64>) -> Sample {
        let (elapsed, cpu) = (self.begun.elapsed(), process_time() - self.cpu);
        Sample { elapsed, cpu, count, size, latencies }
    }
}

/// From a microsecond to a minute, to one per cent.
///
/// # Errors
/// None with these bounds; the library's type says otherwise.
pub fn latencies() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 2)?)
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
