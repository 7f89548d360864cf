//! What access control costs a call: `cargo bench -p polywire-benches --bench access`.

use std::{alloc::System, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    access::{self, Arguments},
    contestant::Result,
    counted::Count,
    outcome,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    outcome::exit(play(&arguments), arguments.strict)
}

/// Whether what is promised holds.
fn play(arguments: &Arguments) -> Result<bool> {
    let report = access::hold(arguments, || Count::of(&ALLOCATOR.stats()))?;
    outcome::show(&report, arguments.json.as_deref())?;
    Ok(report.is_met())
}
