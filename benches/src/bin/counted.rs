//! What is read off the allocator. [`polywire_benches::run`] starts it.

use std::{alloc::System, process::ExitCode};

use clap::Parser;
use polywire_benches::{
    contestant::Result,
    counted::{self, Arguments, Count},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main]
async fn main() -> ExitCode {
    match print(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn print(arguments: &Arguments) -> Result<()> {
    let figures = counted::run(arguments, count).await?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn count() -> Count {
    Count::of(&ALLOCATOR.stats())
}
