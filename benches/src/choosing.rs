//! What it costs a call to choose between transports: the same client over one, and over two with all that a policy can
//! have. No network is between them and the service, so that what they differ in is not lost in it.

use std::{fmt, hint::black_box, time::Duration};

use clap::Parser;
use polywire::{
    Channel, ConnectOptions, Context, Payload, Response, Service, Status, Streaming,
    metrics::Metrics,
    policy::{Adaptive, Hedge, Policy},
};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::{
    contestant,
    counted::Count,
    echo::{EchoClient, EchoServer, Packet, Wall},
    measure::SMALL,
    pattern,
    report::{Machine, Run},
    spread::Spread,
};

/// Calls over one transport and over two, and what the second costs.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// How often each channel plays
    #[arg(long, default_value_t = 21)]
    pub rounds: usize,
    /// How many calls it makes each time
    #[arg(long, default_value_t = 50_000)]
    pub calls: u32,
    /// Fail where a channel costs more than is promised
    #[arg(long)]
    pub strict: bool,
    /// Where the report goes in JSON
    #[arg(long)]
    pub json: Option<std::path::PathBuf>,
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
    /// Each channel, the one over one transport first.
    pub rows: Vec<Row>,
}

/// The calls of one channel.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which.
    pub channel: &'static str,
    /// Processor time of a call in nanoseconds, client and service.
    pub time: Spread,
    /// That less the time over one transport, round by round.
    pub more_time: Spread,
    /// Allocations of a call, client and service.
    pub allocations: Spread,
    /// Those less the allocations over one transport.
    pub more_allocations: Spread,
}

/// What everything that a policy can have may cost a call beyond one transport.
pub const MOST_TIME: Duration = Duration::from_micros(1);

/// And in allocations. What is done now and then rather than by each call, such as a probe, may round up to a tenth.
pub const MOST_ALLOCATIONS: f64 = 2.0;
const NOW_AND_THEN: f64 = 0.1;

/// The name of the channel that this is promised of.
pub const EVERYTHING: &str = "two, everything on";

/// Holds the contest. `count` tells what the process's allocator has done.
///
/// # Errors
/// When a call fails.
pub async fn hold(arguments: &Arguments, count: fn() -> Count) -> contestant::Result<Report> {
    if arguments.rounds == 0 || arguments.calls == 0 {
        return Err("--rounds and --calls: expected at least 1".into());
    }
    let mut run = Run::begin(arguments.rounds, 0.0)?;
    let mut channels = channels().await?;
    let mut samples: Vec<_> = channels.iter().map(|_| Samples::default()).collect();
    for round in 0..arguments.rounds {
        for offset in 0..channels.len() {
            let next = (round + offset) % channels.len();
            let client = &mut channels[next].1;
            calls(client, arguments.calls / 8).await?;
            samples[next].take(client, arguments.calls, count).await?;
        }
    }
    run.end();
    let rows = channels.iter().zip(&samples).filter_map(|((name, _), row)| row.row(name, &samples[0]));
    Ok(Report { machine: Machine::read()?, run, rows: rows.collect() })
}

impl Report {
    /// Whether what is promised holds.
    pub fn is_met(&self) -> bool {
        self.rows.iter().filter(|row| row.channel == EVERYTHING).all(|row| {
            row.more_time.median <= MOST_TIME.as_nanos() as f64
                && row.more_allocations.median <= MOST_ALLOCATIONS + NOW_AND_THEN
        })
    }
}

async fn channels() -> contestant::Result<Vec<(&'static str, EchoClient)>> {
    let two = || Channel::builder().connection("first", Far::new()).connection("second", Far::new());
    let metered = || two().options(ConnectOptions::new().metrics(Metrics::new()));
    let everything = Policy::default().adaptive(Adaptive::Fastest).hedge(Hedge::Percentile(99));
    Ok(vec![
        ("one", EchoClient::new(Far::new())),
        ("two", EchoClient::new(two().connect().await?)),
        (EVERYTHING, EchoClient::new(metered().policy(everything).connect().await?)),
    ])
}

/// A service whose answers are not there at once, as over a network: the caller has to wait.
struct Far(EchoServer<Wall>);

impl Far {
    fn new() -> Self {
        Self(EchoServer::new(Wall))
    }
}

impl Service for Far {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        tokio::task::yield_now().await;
        self.0.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        tokio::task::yield_now().await;
        self.0.stream(cx, messages).await
    }
}

/// The rounds of one channel.
#[derive(Default)]
struct Samples {
    time: Vec<f64>,
    allocations: Vec<f64>,
}

impl Samples {
    async fn take(
        &mut self,
        client: &mut EchoClient,
        number: u32,
        count: fn() -> Count,
    ) -> contestant::Result<()> {
        let (allocated, begun) = (count().allocations, thread_time());
        calls(client, number).await?;
        let (took, allocations) = (thread_time() - begun, count().allocations - allocated);
        self.time.push(took.as_nanos() as f64 / f64::from(number));
        self.allocations.push(allocations as f64 / f64::from(number));
        Ok(())
    }

    fn row(&self, channel: &'static str, one: &Self) -> Option<Row> {
        let more = |of: &[f64], than: &[f64]| Spread::of(of.iter().zip(than).map(|(of, than)| of - than));
        Some(Row {
            channel,
            time: Spread::of(self.time.iter().copied())?,
            more_time: more(&self.time, &one.time)?,
            allocations: Spread::of(self.allocations.iter().copied())?,
            more_allocations: more(&self.allocations, &one.allocations)?,
        })
    }
}

async fn calls(client: &mut EchoClient, number: u32) -> contestant::Result<()> {
    let payload = pattern::message(0, SMALL);
    for _ in 0..number {
        black_box(client.echo(Packet { payload: payload.clone() }).await?);
    }
    Ok(())
}

/// The processor's, so that what else the machine does is not in it.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Calls of {SMALL} B, one in flight, without a network")?;
        writeln!(f, "  {:<20} {:>9}   more than over one           allocations   more", "transports", "ns")?;
        for row in &self.rows {
            let more = row.more_time;
            writeln!(
                f,
                "  {:<20} {:>9.0}   {:<6.0} {:<20} {:>11.2}   {:.2}",
                row.channel,
                row.time.median,
                more.median,
                format!("({:.0}..{:.0})", more.min, more.max),
                row.allocations.median,
                row.more_allocations.median,
            )?;
        }
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        let most = MOST_TIME.as_nanos();
        writeln!(f, "{EVERYTHING}: at most {most} ns and {MOST_ALLOCATIONS} allocations more: {verdict}")
    }
}
