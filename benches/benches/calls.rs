//! polywire's calls beside others': `cargo bench -p polywire-benches --bench calls`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use polywire_benches::{arguments::Arguments, contestant::Result, outcome, report, run};

/// Built beside this by cargo.
const COUNTED: &str = env!("CARGO_BIN_EXE_polywire-benches-counted");

const TARGET_DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    outcome::exit(play(&arguments).await, arguments.strict)
}

/// Whether all ratios that are required were reached.
async fn play(arguments: &Arguments) -> Result<bool> {
    let report = run::measure(arguments, Path::new(COUNTED)).await?;
    let default = || PathBuf::from(TARGET_DIRECTORY).join("polywire-benches.json");
    let json = arguments.json.clone().unwrap_or_else(default);
    run::write(&report, arguments, &json)?;
    report.measures.iter().for_each(|measure| println!("{}", report::table(&report, measure)));
    report.required.iter().for_each(|outcome| println!("{outcome}"));
    println!("\nevery round, and the machine: {}", json.display());
    Ok(report.required.iter().all(|outcome| outcome.met))
}
