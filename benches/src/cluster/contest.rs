//! Rounds in which all clusters take the same load, one after the other.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use serde::Serialize;
use tokio::task::JoinSet;

use super::{Cluster, in_process, nodes};
use crate::{
    contestant::Result,
    load::Load,
    report::{Machine, Run, figure},
    sample::{Sample, Stopwatch, latencies},
    spread::Spread,
};

/// Puts into clusters of three members whose consensus has different networks, and prints how they compare.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// How often each cluster plays
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// How many seconds it is measured each time
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
    /// How many bytes a value has
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// How many callers put at a time, each after the answer to the put before
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub in_flight: Vec<usize>,
    /// Where the members keep their files; on a file system in memory the disk costs nothing [default: the target
    /// directory]
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Where the report goes in JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What one run found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// When and how.
    pub run: Run,
    /// The file system that the members wrote to.
    pub data: PathBuf,
    /// The size of a value in bytes.
    pub size: usize,
    /// Each cluster under each load.
    pub rows: Vec<Row>,
}

/// One cluster under one load.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The network of its consensus.
    pub network: &'static str,
    /// How many puts were under way at a time.
    pub in_flight: usize,
    /// Puts a second.
    pub rate: Spread,
    /// That by the rate without a network, round by round.
    pub to_ceiling: Spread,
    /// Microseconds that half of the puts stayed under.
    pub p50: Spread,
    /// Microseconds that 99 of a hundred stayed under.
    pub p99: Spread,
}

/// Holds the contest.
///
/// # Errors
/// When a cluster cannot be started, or a put fails.
pub async fn hold(arguments: &Arguments, scratch: PathBuf) -> Result<Report> {
    let data = arguments.data.clone().unwrap_or(scratch);
    let directory =
        tempfile::TempDir::new_in(&data).map_err(|error| format!("{}: {error}", data.display()))?;
    let time = Duration::try_from_secs_f64(arguments.seconds)?;
    if arguments.rounds == 0 || arguments.in_flight.contains(&0) {
        return Err("--rounds and --in-flight: expected at least 1".into());
    }
    let mut run = Run::begin(arguments.rounds, arguments.seconds)?;
    let grpc = nodes::start("gRPC", "always_grpc", directory.path()).await?;
    let iroh = nodes::start("Iroh", "always_iroh", directory.path()).await?;
    let ceiling = in_process::start("none", grpc.leader.config().clone(), directory.path()).await?;
    let clusters = [ceiling, grpc, iroh].map(Arc::new);
    let mut rows = Vec::new();
    for in_flight in &arguments.in_flight {
        let load = Load { size: arguments.size, in_flight: *in_flight };
        rows.extend(play(&clusters, load, time, arguments.rounds).await?);
    }
    run.end();
    Ok(Report { machine: Machine::read()?, run, data, size: arguments.size, rows })
}

/// The rows of one load. Each round begins with another cluster than the one before.
async fn play(clusters: &[Arc<Cluster>], load: Load, time: Duration, rounds: usize) -> Result<Vec<Row>> {
    let mut samples: Vec<_> = clusters.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for offset in 0..clusters.len() {
            let next = (round + offset) % clusters.len();
            puts(&clusters[next], load, time / 8).await?;
            samples[next].push(puts(&clusters[next], load, time).await?);
        }
    }
    let rates: Vec<Vec<_>> = samples.iter().map(|row| row.iter().map(Sample::rate).collect()).collect();
    let row = |place: usize| {
        let spread = |of: fn(&Sample) -> f64| Spread::of(samples[place].iter().map(of));
        Some(Row {
            network: clusters[place].name,
            in_flight: load.in_flight,
            rate: spread(Sample::rate)?,
            to_ceiling: Spread::of_ratios(&rates[place], &rates[0])?,
            p50: spread(|sample| sample.latency_micros(0.5))?,
            p99: spread(|sample| sample.latency_micros(0.99))?,
        })
    };
    Ok((0..clusters.len()).filter_map(row).collect())
}

/// Puts for so long. Each caller has keys of its own, and makes one put at least.
async fn puts(cluster: &Arc<Cluster>, load: Load, time: Duration) -> Result<Sample> {
    let mut callers = JoinSet::new();
    let watch = Stopwatch::start();
    for caller in 0..load.in_flight {
        let (cluster, end) = (cluster.clone(), watch.begun() + time);
        callers.spawn(async move {
            let mut latencies = Vec::new();
            for (number, value) in load.messages(caller).enumerate() {
                let begun = Instant::now();
                cluster.put(format!("{caller}/{}", number % KEYS), value).await?;
                let now = Instant::now();
                latencies.push((now - begun).as_nanos() as u64);
                if now >= end {
                    break;
                }
            }
            Result::Ok(latencies)
        });
    }
    let mut latencies = latencies()?;
    while let Some(caller) = callers.join_next().await {
        caller??.into_iter().for_each(|latency| latencies.saturating_record(latency));
    }
    Ok(watch.stop(latencies.len(), load.size, latencies))
}

/// How many keys each caller takes turns with.
const KEYS: usize = 64;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Puts of {} B into three members, files in {}", self.size, self.data.display())?;
        writeln!(
            f,
            "  {:<10} {:>9} {:>10} {:<16} {:>10} {:>10}   rate by that without a network",
            "network", "in flight", "puts/s", "", "p50 µs", "p99 µs"
        )?;
        for row in &self.rows {
            let range = format!("{}..{}", figure(row.rate.min), figure(row.rate.max));
            writeln!(
                f,
                "  {:<10} {:>9} {:>10} {range:<16} {:>10} {:>10}   {} ({}..{})",
                row.network,
                row.in_flight,
                figure(row.rate.median),
                figure(row.p50.median),
                figure(row.p99.median),
                figure(row.to_ceiling.median),
                figure(row.to_ceiling.min),
                figure(row.to_ceiling.max),
            )?;
        }
        Ok(())
    }
}
