//! Puts into a cluster, by the network of its consensus: `cargo bench -p polywire-benches --bench raft`.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    cluster::{self, Arguments},
    contestant::Result,
};

const TARGET_DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

#[tokio::main]
async fn main() -> ExitCode {
    match play(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(arguments: &Arguments) -> Result<()> {
    let report = cluster::hold(arguments, PathBuf::from(TARGET_DIRECTORY)).await?;
    print!("{report}");
    if let Some(file) = &arguments.json {
        let named = |error| format!("{}: {error}", file.display());
        fs::write(file, serde_json::to_string_pretty(&report)?).map_err(named)?;
    }
    Ok(())
}
