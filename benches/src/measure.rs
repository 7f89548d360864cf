//! What is asked of every contestant.

use std::time::Duration;

use serde::Serialize;

use crate::{load::Load, sample::Sample, turn::Turn};

/// A kind of figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Short, for files and programs.
    pub id: String,
    /// What is measured, for people.
    pub title: String,
    /// The unit of its values.
    pub unit: &'static str,
    /// Which direction is good.
    pub better: Better,
    /// For a measure at one of several concurrencies: how many calls are under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The lower, as of a latency.
    Lower,
    /// The higher, as of a rate.
    Higher,
}

/// A turn, and what is read off it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The turn that everybody takes.
    pub turn: Turn,
    /// What is read off each sample.
    pub readings: Vec<Reading>,
}

/// How a measure is read off a sample.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The measure.
    pub measure: Measure,
    /// Its value, in its unit.
    pub of: fn(&Sample) -> f64,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Scale {
    /// How long a turn that is timed takes.
    pub time: Duration,
    /// How many messages a stream has.
    pub stream: u64,
    /// How many connections a turn makes.
    pub connections: u64,
    /// How many calls are under way at once, where growth is asked about.
    pub concurrencies: &'static [usize],
}

/// The size of a small message in bytes: what most calls of most services are.
pub const SMALL: usize = 64;

const ONE: Load = Load { size: SMALL, in_flight: 1 };
const MANY: Load = Load { size: SMALL, in_flight: 64 };
const MEDIUM: Load = Load { size: 64 << 10, in_flight: 16 };
const LARGE: Load = Load { size: 1 << 20, in_flight: 4 };

/// The ids that ratios are required of.
pub(crate) const RATE_AT_ONE: &str = "concurrency-1-rate";
pub(crate) const RATE_AT_MANY: &str = "rate-64";
pub(crate) const THROUGHPUT_LARGE: &str = "throughput-1m";

impl Measure {
    pub(crate) fn new(id: &str, title: &str, unit: &'static str, better: Better) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), unit, better, concurrency: None }
    }
}

/// Everything that is read off turns. Growth from one call to thousands comes last.
pub fn probes(scale: &Scale) -> Vec<Probe> {
    let calls = |load| Turn::Calls { load, time: scale.time };
    let stream = Turn::Stream { messages: scale.stream, size: SMALL, time: scale.time };
    let connect = Turn::Connect { size: SMALL, connections: scale.connections };
    let mut probes = vec![
        Probe {
            turn: calls(ONE),
            readings: vec![
                lower("latency-p50", "latency of a call of 64 B, one in flight, p50", "µs", |sample| {
                    sample.latency_micros(0.5)
                }),
                lower("latency-p99", "latency of a call of 64 B, one in flight, p99", "µs", |sample| {
                    sample.latency_micros(0.99)
                }),
            ],
        },
        Probe {
            turn: calls(MANY),
            readings: vec![
                higher(RATE_AT_MANY, "calls of 64 B, 64 in flight", "calls/s", Sample::rate),
                lower("cpu", "CPU time of a call, both ends, 64 in flight", "µs", Sample::cpu_micros),
            ],
        },
        Probe {
            turn: calls(MEDIUM),
            readings: vec![higher(
                "throughput-64k",
                "calls of 64 KiB, 16 in flight, one way",
                "MiB/s",
                Sample::throughput,
            )],
        },
        Probe {
            turn: calls(LARGE),
            readings: vec![higher(
                THROUGHPUT_LARGE,
                "calls of 1 MiB, 4 in flight, one way",
                "MiB/s",
                Sample::throughput,
            )],
        },
        Probe {
            turn: stream,
            readings: vec![higher(
                "stream",
                "messages of 64 B in a server stream",
                "messages/s",
                Sample::rate,
            )],
        },
        Probe {
            turn: connect,
            readings: vec![lower("connect", "cold connect and first call, p50", "µs", |sample| {
                sample.latency_micros(0.5)
            })],
        },
    ];
    for &in_flight in scale.concurrencies {
        let load = Load { size: SMALL, in_flight };
        let readings = growth(in_flight);
        match probes.iter_mut().find(|probe| probe.turn == calls(load)) {
            Some(probe) => probe.readings.extend(readings),
            None => probes.push(Probe { turn: calls(load), readings }),
        }
    }
    probes
}

/// What is read off one load that the command line names.
pub fn custom(load: Load, time: Duration) -> Probe {
    let title = |what: &str| format!("{load}: {what}");
    let readings = vec![
        lower("latency-p50", &title("latency, p50"), "µs", |sample| sample.latency_micros(0.5)),
        lower("latency-p99", &title("latency, p99"), "µs", |sample| sample.latency_micros(0.99)),
        higher("rate", &title("calls"), "calls/s", Sample::rate),
        higher("throughput", &title("bytes, one way"), "MiB/s", Sample::throughput),
        lower("cpu", &title("CPU time of a call, both ends"), "µs", Sample::cpu_micros),
    ];
    Probe { turn: Turn::Calls { load, time }, readings }
}

fn growth(in_flight: usize) -> Vec<Reading> {
    let id = |what| format!("concurrency-{in_flight}-{what}");
    let calls = if in_flight == 1 { "call" } else { "calls" };
    let title = |what| format!("{in_flight} concurrent {calls} of 64 B, {what}");
    let mut readings = vec![
        higher(&id("rate"), &title("rate"), "calls/s", Sample::rate),
        lower(&id("p99"), &title("p99"), "µs", |sample| sample.latency_micros(0.99)),
    ];
    for reading in &mut readings {
        reading.measure.concurrency = Some(in_flight);
    }
    readings
}

fn lower(id: &str, title: &str, unit: &'static str, of: fn(&Sample) -> f64) -> Reading {
    Reading { measure: Measure::new(id, title, unit, Better::Lower), of }
}

fn higher(id: &str, title: &str, unit: &'static str, of: fn(&Sample) -> f64) -> Reading {
    Reading { measure: Measure::new(id, title, unit, Better::Higher), of }
}
