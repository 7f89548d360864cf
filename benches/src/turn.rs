//! What a contestant does when it is its turn.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{
    contestant::{Caller, Result, Stack},
    load::Load,
    pattern::{self, Script},
    sample::{Sample, Stopwatch, latencies},
};

/// One turn. Every answer is compared with what it has to be; the first that differs ends the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// Calls under a load for so long; each caller makes one at least.
    Calls {
        /// The load.
        load: Load,
        /// How long.
        time: Duration,
    },
    /// One call after the other, so many.
    Count {
        /// The size of a message in bytes.
        size: usize,
        /// How many.
        calls: u64,
    },
    /// One server stream after the other for so long; one at least.
    Stream {
        /// How many messages a stream has.
        messages: u64,
        /// The size of each in bytes.
        size: usize,
        /// How long.
        time: Duration,
    },
    /// So many connections, one after the other, with one call each.
    Connect {
        /// The size of the call's message in bytes.
        size: usize,
        /// How many.
        connections: u64,
    },
}

impl Turn {
    /// The same for a shorter time, to get the machine used to it again: it has just been busy with another
    /// contestant.
    #[must_use]
    pub fn warm_up(self) -> Self {
        match self {
            Self::Calls { load, time } => Self::Calls { load, time: time / 8 },
            Self::Count { size, calls } => Self::Count { size, calls: calls.div_ceil(8) },
            Self::Stream { messages, size, time } => Self::Stream { messages, size, time: time / 8 },
            Self::Connect { size, .. } => Self::Connect { size, connections: 1 },
        }
    }

    /// Plays it: calls go through `caller`, which is connected, new connections to the stack.
    pub(crate) async fn play<S: Stack>(self, stack: &S, caller: S::Caller) -> Result<Sample> {
        match self {
            Self::Calls { load, time } => calls(caller, load, time).await,
            Self::Count { size, calls } => count(caller, size, calls).await,
            Self::Stream { messages, size, time } => stream(caller, messages, size, time).await,
            Self::Connect { size, connections } => connect(stack, size, connections).await,
        }
    }
}

async fn calls(caller: impl Caller, load: Load, time: Duration) -> Result<Sample> {
    let messages: Vec<_> = (0..load.in_flight).map(|index| load.messages(index)).collect();
    let mut callers = JoinSet::new();
    let watch = Stopwatch::start();
    for messages in messages {
        callers.spawn(call_until(watch.begun() + time, caller.clone(), messages));
    }
    let mut latencies = latencies()?;
    while let Some(called) = callers.join_next().await {
        for latency in called?? {
            latencies.saturating_record(latency);
        }
    }
    Ok(watch.stop(latencies.len(), load.size, latencies))
}

/// What each call took, in nanoseconds. A histogram a caller would be megabytes at ten thousand of them.
async fn call_until(
    end: Instant,
    mut caller: impl Caller,
    messages: impl Iterator<Item = Bytes> + Send,
) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    for message in messages {
        let begun = Instant::now();
        call(&mut caller, message).await?;
        let now = Instant::now();
        latencies.push((now - begun).as_nanos() as u64);
        if now >= end {
            break;
        }
    }
    Ok(latencies)
}

async fn count(mut caller: impl Caller, size: usize, calls: u64) -> Result<Sample> {
    let load = Load { size, in_flight: 1 };
    let mut latencies = latencies()?;
    let watch = Stopwatch::start();
    for message in load.messages(0).take(calls as usize) {
        timed(&mut latencies, call(&mut caller, message)).await?;
    }
    Ok(watch.stop(calls, size, latencies))
}

async fn stream(mut caller: impl Caller, messages: u64, size: usize, time: Duration) -> Result<Sample> {
    let mut latencies = latencies()?;
    let mut received = 0;
    let watch = Stopwatch::start();
    for seed in 0.. {
        let script = Script { seed, count: messages, size: size as u64 };
        let mut check = script.check();
        timed(&mut latencies, caller.subscribe(script, &mut check)).await?;
        received += check.end()?;
        if watch.begun().elapsed() >= time {
            break;
        }
    }
    Ok(watch.stop(received, size, latencies))
}

async fn connect<S: Stack>(stack: &S, size: usize, connections: u64) -> Result<Sample> {
    let mut latencies = latencies()?;
    let watch = Stopwatch::start();
    for seed in 0..connections {
        let message = pattern::message(seed, size);
        // Kept beyond the reading, so that closing is not part of it.
        let _caller = timed(&mut latencies, async {
            let mut caller = stack.connect().await?;
            call(&mut caller, message).await?;
            Result::Ok(caller)
        })
        .await?;
    }
    Ok(watch.stop(connections, size, latencies))
}

async fn call(caller: &mut impl Caller, message: Bytes) -> Result<()> {
    let echo = caller.echo(message.clone()).await?;
    if echo != message {
        return Err(format!("{} bytes came back altered, or for another call", echo.len()).into());
    }
    Ok(())
}

async fn timed<T>(latencies: &mut Histogram<u64>, call: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    let outcome = call.await?;
    latencies.saturating_record(begun.elapsed().as_nanos() as u64);
    Ok(outcome)
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls { load, .. } => write!(f, "{load}"),
            Self::Count { size, .. } => write!(f, "{}", Load { size: *size, in_flight: 1 }),
            Self::Stream { messages, size, .. } => write!(f, "a stream of {messages} messages of {size} B"),
            Self::Connect { .. } => f.write_str("connections"),
        }
    }
}
