//! Calls of one message, polywire's beside others': `cargo bench -p polywire-benches`.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use iroh::endpoint::QuicTransportConfig;
use polywire::{Codec, iroh::QuicProfile};
use polywire_benches::{
    contest::{self, Pace},
    contestant::{Contestant, Result, irpc_iroh, plain_iroh, plain_tonic, polywire_grpc, polywire_iroh},
    load::Load,
    ratio::Ratio,
    report,
};

/// Prints one table, and how the ratios that are required came out.
#[derive(Parser)]
struct Arguments {
    /// How often each contestant plays
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How many seconds it is measured each time
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Only contests whose title holds this text, for instance `iroh` or `64 B × 1`
    #[arg(long, default_value = "")]
    only: String,
    /// Only contestants whose name holds this text
    #[arg(long, default_value = "")]
    contestant: String,
    /// Instead of the loads that figures are required for: this many calls in flight
    #[arg(long)]
    in_flight: Option<usize>,
    /// How many bytes a message has, with `--in-flight`
    #[arg(long, default_value_t = 64, requires = "in_flight")]
    size: usize,
    /// Fail where a required ratio is not reached
    #[arg(long)]
    strict: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

const IROH: &str = "plain iroh";
const IROH_TUNED: &str = "plain iroh, polywire's QUIC";
const IRPC: &str = "irpc over iroh";
const POLYWIRE_IROH: &str = "polywire over iroh";
const POLYWIRE_IROH_PROTOBUF: &str = "polywire over iroh, protobuf";
const TONIC: &str = "plain tonic";
const POLYWIRE_GRPC: &str = "polywire over gRPC";

const ONE: Load = Load { size: 64, in_flight: 1 };
const MANY: Load = Load { size: 64, in_flight: 64 };
const LARGE: Load = Load { size: 1 << 20, in_flight: 4 };

const ON_IROH: &[&str] = &[IROH, IROH_TUNED, IRPC, POLYWIRE_IROH, POLYWIRE_IROH_PROTOBUF];
const ON_IROH_LARGE: &[&str] = &[IROH, IROH_TUNED, POLYWIRE_IROH, POLYWIRE_IROH_PROTOBUF];
const ON_GRPC: &[&str] = &[TONIC, POLYWIRE_GRPC];

const BY_IROH: Ratio = Ratio { of: POLYWIRE_IROH, by: IROH, required: 0.85 };
const BY_IROH_LARGE: Ratio = Ratio { of: POLYWIRE_IROH, by: IROH, required: 0.9 };
const BY_IRPC: Ratio = Ratio { of: POLYWIRE_IROH, by: IRPC, required: 1.0 };
const BY_TONIC: Ratio = Ratio { of: POLYWIRE_GRPC, by: TONIC, required: 0.95 };

/// Who meets whom under which load, and what has to come of it.
type Contest = (&'static str, Load, &'static [&'static str], &'static [Ratio]);

const CONTESTS: &[Contest] = &[
    ("iroh", ONE, ON_IROH, &[BY_IROH]),
    ("iroh", MANY, ON_IROH, &[BY_IROH, BY_IRPC]),
    ("iroh", LARGE, ON_IROH_LARGE, &[BY_IROH_LARGE]),
    ("gRPC", ONE, ON_GRPC, &[BY_TONIC]),
    ("gRPC", MANY, ON_GRPC, &[BY_TONIC]),
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(met) if met || !arguments.strict => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let contestants = contestants().await?;
    let time = Duration::try_from_secs_f64(arguments.seconds)?;
    let pace = Pace { rounds: arguments.rounds, time, warm_up: time / 8 };
    let mut outcomes = Vec::new();
    println!("{}", report::heading());
    for (transport, load, names, ratios) in contests(arguments) {
        let title = format!("{transport}, {load}");
        let playing: Vec<_> = contestants
            .iter()
            .filter(|contestant| names.contains(&contestant.name()))
            .filter(|contestant| contestant.name().contains(&arguments.contestant))
            .collect();
        if !title.contains(&arguments.only) || playing.is_empty() {
            continue;
        }
        let entries = contest::hold(load, &playing, pace).await?;
        entries.iter().filter_map(|entry| report::line(load, entry)).for_each(|line| println!("{line}"));
        let reached = ratios.iter().filter_map(|ratio| ratio.outcome(&entries));
        outcomes.extend(reached.map(|outcome| (title.clone(), outcome)));
    }
    println!();
    outcomes.iter().for_each(|(title, outcome)| println!("{title}: {outcome}"));
    Ok(outcomes.iter().all(|(_, outcome)| outcome.is_met()))
}

fn contests(arguments: &Arguments) -> Vec<Contest> {
    let Some(in_flight) = arguments.in_flight else { return CONTESTS.to_vec() };
    let load = Load { size: arguments.size, in_flight };
    vec![("iroh", load, ON_IROH, &[]), ("gRPC", load, ON_GRPC, &[])]
}

async fn contestants() -> Result<Vec<Contestant>> {
    Ok(vec![
        plain_iroh::start(IROH, QuicTransportConfig::default()).await?,
        plain_iroh::start(IROH_TUNED, QuicProfile::default().transport_config()).await?,
        irpc_iroh::start(IRPC).await?,
        polywire_iroh::start(POLYWIRE_IROH, Codec::MessagePack).await?,
        polywire_iroh::start(POLYWIRE_IROH_PROTOBUF, Codec::Protobuf).await?,
        plain_tonic::start(TONIC).await?,
        polywire_grpc::start(POLYWIRE_GRPC).await?,
    ])
}
