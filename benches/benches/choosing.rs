//! What it costs to choose between transports: `cargo bench -p polywire-benches --bench choosing`.

use std::{alloc::System, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    choosing::{self, Arguments},
    contestant::Result,
    counted::Count,
    outcome,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// One thread, whose processor time is read.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    outcome::exit(play(&arguments).await, arguments.strict)
}

/// Whether what is promised holds.
async fn play(arguments: &Arguments) -> Result<bool> {
    let report = choosing::hold(arguments, || Count::of(&ALLOCATOR.stats())).await?;
    outcome::show(&report, arguments.json.as_deref())?;
    Ok(report.is_met())
}
