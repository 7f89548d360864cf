//! A whole run.

use std::{fs, path::Path};

use crate::{
    arguments::Arguments,
    contest,
    contestant::{Result, Roster},
    counted,
    measure::Measure,
    plot,
    report::{Machine, Report, Run, page},
};

/// Measures everything that the arguments ask for. `binary` is the one that counts allocations.
///
/// # Errors
/// When a contestant cannot be started, a call fails, an answer is not what it has to be, or nothing is
/// asked for.
pub async fn measure(arguments: &Arguments, binary: &Path) -> Result<Report> {
    let (rounds, probes) = (arguments.rounds(), arguments.probes()?);
    let mut run = Run::begin(rounds, arguments.time()?.as_secs_f64())?;
    let mut figures = Vec::new();
    let mut measures: Vec<Measure> = Vec::new();
    // First, while this process holds no connections and has nothing to do.
    if let Some(counted) = arguments.counted() {
        figures.extend(counted::spawn(binary, &counted).await?);
    }
    let roster = Roster::start(&arguments.contestant).await?;
    for probe in &probes {
        figures.extend(contest::hold(probe, roster.contestants(), rounds).await?);
        measures.extend(probe.readings.iter().map(|reading| reading.measure.clone()));
    }
    measures.extend(counted::measures().into_iter().filter(|measure| {
        arguments.wants(measure) && figures.iter().any(|figure| figure.measure == measure.id)
    }));
    if measures.is_empty() {
        return Err("no measure's id or title holds what `--only` asks for".into());
    }
    run.end();
    Ok(Report::new(Machine::read()?, run, measures, roster.contestants(), &figures))
}

/// Writes the report to `json` and, where the arguments say so, plots it.
///
/// # Errors
/// When a file cannot be written.
pub fn write(report: &Report, arguments: &Arguments, json: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    put(json, &text)?;
    if let Some(directory) = &arguments.plots {
        put(&directory.join("report.json"), &text)?;
        for (name, svg) in plot::plots(report)? {
            put(&directory.join(name), &svg)?;
        }
        put(&directory.join("README.md"), &page(report)?)?;
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> Result<()> {
    let named = |error| format!("{}: {error}", file.display());
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(named)?;
    }
    Ok(fs::write(file, text).map_err(named)?)
}
