//! Puts into a cluster, by the network of its consensus: `cargo bench -p polywire-benches --bench raft`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    cluster::{self, Arguments},
    contestant::Result,
    outcome,
};

const TARGET_DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

#[tokio::main]
async fn main() -> ExitCode {
    let met = play(&Arguments::parse()).await.map(|()| true);
    outcome::exit(met, false)
}

async fn play(arguments: &Arguments) -> Result<()> {
    let report = cluster::hold(arguments, PathBuf::from(TARGET_DIRECTORY)).await?;
    outcome::show(&report, arguments.json.as_deref())
}
