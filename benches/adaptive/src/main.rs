//! Plays every scenario and prints what happened, a line a second: `cargo run -p polywire-adaptive`.

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::Parser;
use polywire_adaptive::{COLUMNS, SCENARIOS, plot, run};

/// Simulates how a channel chooses its transport by what it measures, and prints what happened as CSV.
#[derive(Debug, Parser)]
struct Arguments {
    /// Draws adaptive.svg into this directory as well
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

fn main() -> ExitCode {
    match play(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments) -> io::Result<()> {
    let runs: Vec<_> = SCENARIOS.iter().map(run).collect();
    println!("{COLUMNS}");
    runs.iter().for_each(|run| print!("{run}"));
    if let Some(directory) = &arguments.plots {
        fs::create_dir_all(directory)?;
        let file = directory.join("adaptive.svg");
        fs::write(&file, plot(&runs).map_err(io::Error::other)?)?;
        eprintln!("{}", file.display());
    }
    Ok(())
}
