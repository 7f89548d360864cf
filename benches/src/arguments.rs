//! What the command line says.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use crate::{
    contestant::Result,
    counted,
    load::Load,
    measure::{self, Probe, Scale},
};

/// Compares polywire with its peers, and prints a table a measure and how the required ratios came out.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// How often each contestant plays [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// How many seconds it is measured each time [default: 0.15]
    #[arg(long)]
    seconds: Option<f64>,
    /// Only measures whose id or title holds this text, for instance `latency` or `64 in flight`
    #[arg(long, default_value = "")]
    only: String,
    /// Only contestants whose name holds this text
    #[arg(long, default_value = "")]
    pub contestant: String,
    /// Instead of all measures: latency and rate with this many calls in flight
    #[arg(long)]
    in_flight: Option<usize>,
    /// How many bytes a message has, with `--in-flight`
    #[arg(long, default_value_t = 64, requires = "in_flight")]
    size: usize,
    /// Fail where a required ratio is not reached
    #[arg(long)]
    pub strict: bool,
    /// The smallest round that has everything in it, in seconds; its figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Where the report goes in JSON [default: polywire-benches.json in the target directory's `tmp`]
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Draws plots into this directory, with a page that shows them and the report in JSON
    #[arg(long)]
    pub plots: Option<PathBuf>,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// How often each contestant plays.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// How long it is measured each time.
    ///
    /// # Errors
    /// When the seconds are negative, or more than a clock can tell.
    pub fn time(&self) -> Result<Duration> {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.005 } else { 0.15 });
        Duration::try_from_secs_f64(seconds).map_err(|error| format!("--seconds {seconds}: {error}").into())
    }

    /// What everybody is asked to do.
    ///
    /// # Errors
    /// As [`time`](Self::time).
    pub fn probes(&self) -> Result<Vec<Probe>> {
        let time = self.time()?;
        if let Some(in_flight) = self.in_flight {
            return Ok(vec![measure::custom(Load { size: self.size, in_flight }, time)]);
        }
        let scale = match self.quick {
            false => {
                Scale { time, stream: 10_000, connections: 10, concurrencies: &[1, 10, 100, 1000, 10_000] }
            }
            true => Scale { time, stream: 10, connections: 1, concurrencies: &[1, 10, 100] },
        };
        let mut probes = measure::probes(&scale);
        for probe in &mut probes {
            probe.readings.retain(|reading| self.wants(&reading.measure));
        }
        probes.retain(|probe| !probe.readings.is_empty());
        Ok(probes)
    }

    /// What is counted, and how much of it; `None` where nothing is to be.
    pub fn counted(&self) -> Option<counted::Arguments> {
        let wanted = counted::measures().iter().any(|measure| self.wants(measure));
        let (rounds, calls, connections) = if self.quick { (1, 8, 2) } else { (3, 1000, 50) };
        let contestant = self.contestant.clone();
        (wanted && self.in_flight.is_none()).then_some(counted::Arguments {
            contestant,
            rounds,
            calls,
            connections,
        })
    }

    /// Whether the measure is to be taken.
    pub fn wants(&self, measure: &measure::Measure) -> bool {
        measure.id.contains(&self.only) || measure.title.contains(&self.only)
    }
}
