//! What is read off the allocator, in a process of its own: an allocator that counts takes time.

use std::{path::Path, process::Stdio, time::Duration};

use clap::Parser;
use serde::Serialize;
use tokio::process::Command;

use crate::{
    contestant::{Contestant, Result, Roster},
    figure::Figure,
    measure::{Better, Measure, SMALL},
    pattern,
    turn::Turn,
};

/// Prints figures as JSON. They come from the allocator that the process runs with.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Only contestants whose name holds this text
    #[arg(long, default_value = "")]
    pub contestant: String,
    /// How often each contestant plays
    #[arg(long)]
    pub rounds: usize,
    /// How many calls are counted each time
    #[arg(long)]
    pub calls: u64,
    /// How many idle connections are weighed each time
    #[arg(long)]
    pub connections: u64,
}

/// What the allocator has done since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How often memory was asked for, or asked to be larger or smaller.
    pub allocations: u64,
    /// How many bytes were asked for.
    pub allocated: u64,
    /// How many bytes were given back.
    pub freed: u64,
}

impl Count {
    /// What this allocator has done.
    pub fn of(stats: &stats_alloc::Stats) -> Self {
        Self {
            allocations: (stats.allocations + stats.reallocations) as u64,
            allocated: stats.bytes_allocated as u64,
            freed: stats.bytes_deallocated as u64,
        }
    }

    fn live(self) -> f64 {
        self.allocated as f64 - self.freed as f64
    }
}

const ALLOCATIONS: &str = "allocations";
const ALLOCATED: &str = "allocated";
const IDLE: &str = "idle";

/// The measures that are read here.
pub fn measures() -> Vec<Measure> {
    let lower = |id, title, unit| Measure::new(id, title, unit, Better::Lower);
    vec![
        lower(ALLOCATIONS, "allocations of a call of 64 B, both ends, one in flight", "allocations"),
        lower(ALLOCATED, "bytes allocated for a call of 64 B, both ends, one in flight", "B"),
        lower(IDLE, "heap of an idle connection, both ends", "KiB"),
    ]
}

/// Runs that process.
///
/// # Errors
/// When it fails, or says what is no figures.
pub async fn spawn(binary: &Path, arguments: &Arguments) -> Result<Vec<Figure>> {
    let output = Command::new(binary)
        .arg(format!("--contestant={}", arguments.contestant))
        .arg(format!("--rounds={}", arguments.rounds))
        .arg(format!("--calls={}", arguments.calls))
        .arg(format!("--connections={}", arguments.connections))
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    if !output.status.success() {
        return Err(format!("counting allocations failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What that process does.
///
/// # Errors
/// When a contestant cannot be started or called.
pub async fn run(arguments: &Arguments, count: fn() -> Count) -> Result<Vec<Figure>> {
    let roster = Roster::start(&arguments.contestant).await?;
    let mut figures = Vec::new();
    for contestant in roster.contestants() {
        let mut readings = Readings::default();
        for _ in 0..arguments.rounds {
            readings.calls(contestant, arguments.calls, count).await?;
            readings.idle(contestant, arguments.connections, count).await?;
        }
        figures.extend(readings.figures(contestant.name()));
    }
    Ok(figures)
}

/// The rounds of one contestant. They need not be interleaved with others': counts do not depend on how busy
/// the machine is.
#[derive(Default)]
struct Readings {
    allocations: Vec<f64>,
    allocated: Vec<f64>,
    idle: Vec<f64>,
}

impl Readings {
    async fn calls(&mut self, contestant: &Contestant, calls: u64, count: fn() -> Count) -> Result<()> {
        let turn = Turn::Count { size: SMALL, calls };
        contestant.play(turn.warm_up()).await?;
        let before = count();
        contestant.play(turn).await?;
        let after = count();
        self.allocations.push((after.allocations - before.allocations) as f64 / calls as f64);
        self.allocated.push((after.allocated - before.allocated) as f64 / calls as f64);
        Ok(())
    }

    async fn idle(&mut self, contestant: &Contestant, connections: u64, count: fn() -> Count) -> Result<()> {
        let before = settled(count).await;
        let mut idle = Vec::with_capacity(connections as usize);
        for seed in 0..connections {
            idle.push(contestant.idle(pattern::message(seed, SMALL)).await?);
        }
        let after = settled(count).await;
        self.idle.push((after.live() - before.live()) / connections as f64 / 1024.0);
        Ok(())
    }

    fn figures(self, contestant: &str) -> [Figure; 3] {
        let figure = |measure: &str, rounds| Figure {
            contestant: contestant.to_owned(),
            measure: measure.to_owned(),
            rounds,
            absent: None,
        };
        [figure(ALLOCATIONS, self.allocations), figure(ALLOCATED, self.allocated), figure(IDLE, self.idle)]
    }
}

/// How long nothing may be allocated or freed before that counts as rest: longer than the timers with which a
/// QUIC connection on loopback ends (RFC 9000, section 10.2: three times a probe timeout).
const REST: Duration = Duration::from_millis(150);

/// When to take the memory as it is: keep-alives never rest.
const PATIENCE: u32 = 10;

async fn settled(count: fn() -> Count) -> Count {
    let mut last = count();
    for _ in 0..PATIENCE {
        tokio::time::sleep(REST).await;
        let now = count();
        if now == last {
            break;
        }
        last = now;
    }
    last
}
