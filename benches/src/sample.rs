//! What is measured.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::{
    contestant::{Caller, Result},
    load::Load,
};

/// How one contestant bore one load for a while.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The load.
    pub load: Load,
    /// From the first call's beginning to the last one's end.
    pub elapsed: Duration,
    /// Processor time of the whole process, so of both ends.
    pub cpu: Duration,
    /// What each call took, in nanoseconds.
    pub latencies: Histogram<u64>,
}

impl Sample {
    /// Has as many callers as the load asks for call until the time is over. Every byte that comes back
    /// is compared with what was sent.
    ///
    /// # Errors
    /// When a call fails, or an echo differs from what was sent.
    pub async fn take(caller: impl Caller, load: Load, time: Duration) -> Result<Self> {
        let messages: Vec<_> = (0..load.in_flight).map(|index| load.messages(index)).collect();
        let mut callers = JoinSet::new();
        let (begun, cpu) = (Instant::now(), process_time());
        for messages in messages {
            callers.spawn(call_until(begun + time, caller.clone(), messages));
        }
        let mut latencies = latencies()?;
        while let Some(caller) = callers.join_next().await {
            latencies.add(caller??)?;
        }
        Ok(Self { load, elapsed: begun.elapsed(), cpu: process_time() - cpu, latencies })
    }

    /// Calls per second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// MiB per second that were echoed, counted one way.
    pub fn throughput(&self) -> f64 {
        self.rate() * self.load.size as f64 / f64::from(1 << 20)
    }

    /// Processor time per call.
    pub fn cpu_per_call(&self) -> Duration {
        self.cpu.div_f64(self.latencies.len().max(1) as f64)
    }
}

async fn call_until(
    end: Instant,
    mut caller: impl Caller,
    messages: impl Iterator<Item = bytes::Bytes> + Send,
) -> Result<Histogram<u64>> {
    let mut latencies = latencies()?;
    for message in messages {
        let begun = Instant::now();
        let echo = caller.echo(message.clone()).await?;
        let now = Instant::now();
        if echo != message {
            return Err(format!("{} bytes came back altered, or for another call", echo.len()).into());
        }
        latencies.saturating_record((now - begun).as_nanos() as u64);
        if now >= end {
            break;
        }
    }
    Ok(latencies)
}

/// From a microsecond to a minute, to one per cent.
fn latencies() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 2)?)
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
