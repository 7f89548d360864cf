//! polywire's calls beside others': `cargo bench -p polywire-benches --bench calls`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use polywire_benches::{arguments::Arguments, contestant::Result, report, run};

/// Built beside this by cargo.
const COUNTED: &str = env!("CARGO_BIN_EXE_polywire-benches-counted");

const TARGET_DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

#[tokio::main]
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
