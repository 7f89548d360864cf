//! Runs the interoperability cases against a server at any target.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use polywire::{Codec, ConnectOptions, Status, Target};
use polywire_interop::cases::{self, Case, Peer};

/// Runs the gRPC project's interoperability cases against a server at any target; prints a line for each.
///
/// Exit status: 0 when all passed, 1 when any failed or the target cannot be used, 2 for bad usage.
#[derive(Debug, Parser)]
struct Args {
    /// The target to call: grpc://…, grpcs://…, iroh://… or any other target
    #[arg(long)]
    target: Target,
    /// The cases, with commas between; `all` for every one
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "all", value_parser = chosen)]
    test_case: Vec<Chosen>,
    /// Cases to leave out, with commas between
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = known)]
    except: Vec<Case>,
    /// Trusts these certificate authorities (PEM) for grpcs:// instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Encodes messages with protobuf or msgpack; otherwise as the transport does by default
    #[arg(long)]
    codec: Option<Codec>,
    /// How many seconds one case may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

#[derive(Clone, Copy, Debug)]
enum Chosen {
    All,
    One(Case),
}

fn chosen(name: &str) -> Result<Chosen, String> {
    match name {
        "all" => Ok(Chosen::All),
        name => known(name).map(Chosen::One),
    }
}

fn known(name: &str) -> Result<Case, String> {
    let names = || cases::ALL.iter().map(Case::name).collect::<Vec<_>>().join(", ");
    Case::find(name).ok_or_else(|| format!("no such case; expected one of {}", names()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} failed at {}", args.target);
            ExitCode::FAILURE
        }
        Err(status) => {
            eprintln!("{}: {status}", args.target);
            ExitCode::FAILURE
        }
    }
}

/// How many cases failed.
async fn run(args: &Args) -> Result<usize, Status> {
    let mut options = ConnectOptions::new();
    if let Some(ca) = &args.ca {
        options = options.ca_file(ca);
    }
    if let Some(codec) = args.codec {
        options = options.codec(codec);
    }
    let peer = Peer::new(args.target.connect(&options).await?);
    let patience = Duration::from_secs(args.timeout);
    let mut failed = 0;
    for case in args.cases() {
        let outcome = match tokio::time::timeout(patience, case.run(&peer)).await {
            Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
            Err(_) => Err(format!("expected an end, found none within {patience:?}")),
        };
        match outcome {
            Ok(()) => println!("ok     {}", case.name()),
            Err(why) => {
                println!("FAILED {}: {why}", case.name());
                failed += 1;
            }
        }
    }
    Ok(failed)
}

impl Args {
    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for chosen in &self.test_case {
            match chosen {
                Chosen::All => cases.extend(cases::ALL),
                Chosen::One(case) => cases.push(*case),
            }
        }
        cases.retain(|case| self.except.iter().all(|except| except.name() != case.name()));
        cases
    }
}
