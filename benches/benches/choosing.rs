//! What it costs to choose between transports: `cargo bench -p polywire-benches --bench choosing`.

use std::{alloc::System, fs, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    choosing::{self, Arguments},
    contestant::Result,
    counted::Count,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// One thread, whose processor time is read.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match play(&arguments).await {
        Ok(met) if met || !arguments.strict => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether what is promised holds.
async fn play(arguments: &Arguments) -> Result<bool> {
    let report = choosing::hold(arguments, || Count::of(&ALLOCATOR.stats())).await?;
    print!("{report}");
    if let Some(file) = &arguments.json {
        let named = |error| format!("{}: {error}", file.display());
        fs::write(file, serde_json::to_string_pretty(&report)?).map_err(named)?;
    }
    Ok(report.is_met())
}
