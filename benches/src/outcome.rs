//! How a bench ends.

use std::{fmt::Display, fs, path::Path, process::ExitCode};

use serde::Serialize;

use crate::contestant::Result;

/// What the process ends with: a failure where the bench failed, and, if so wanted, where what is promised does not hold.
pub fn exit(met: Result<bool>, strict: bool) -> ExitCode {
    match met {
        Ok(met) if met || !strict => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a report, and writes it to this file in JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn show(report: &(impl Display + Serialize), json: Option<&Path>) -> Result<()> {
    print!("{report}");
    if let Some(file) = json {
        let named = |error| format!("{}: {error}", file.display());
        fs::write(file, serde_json::to_string_pretty(report)?).map_err(named)?;
    }
    Ok(())
}
