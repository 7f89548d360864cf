//! The page that shows a run's plots and figures.

use std::fmt::Write as _;

use super::{
    Report,
    table::{rows, unit},
};
use crate::plot;

/// The page in Markdown, for a file beside the plots.
///
/// # Errors
/// None: a string takes everything.
pub fn page(report: &Report) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    writeln!(page, "# Figures of one run\n")?;
    writeln!(
        page,
        "Written by `cargo bench -p polywire-benches --bench calls -- --plots plots`; do not edit. What each figure means is in"
    )?;
    writeln!(page, "[`benches/README.md`](../README.md); every round is in [`report.json`](report.json).\n")?;
    facts(&mut page, report)?;
    writeln!(page, "\n## From one concurrent call to thousands\n")?;
    for growth in plot::GROWTHS {
        writeln!(page, "![{}]({}.svg)\n", growth.title, growth.file)?;
    }
    for measure in report.measures.iter().filter(|measure| measure.concurrency.is_none()) {
        writeln!(page, "## {}\n\n![{}]({}.svg)\n", measure.title, measure.title, measure.id)?;
        writeln!(page, "| {} | median | min..max | to its peer in the same round |", unit(measure))?;
        writeln!(page, "|---|---:|---|---|")?;
        for [contestant, median, range, peer] in rows(report, measure) {
            writeln!(page, "| {contestant} | {median} | {range} | {peer} |")?;
        }
        writeln!(page)?;
    }
    required(&mut page, report)?;
    Ok(page)
}

fn facts(page: &mut String, report: &Report) -> std::fmt::Result {
    let (machine, run) = (&report.machine, &report.run);
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(
        page,
        "| machine | {} × {}, {} MiB, {} |",
        machine.cores, machine.processor, machine.memory_mib, machine.kernel
    )?;
    writeln!(page, "| date | {} |", run.date)?;
    writeln!(
        page,
        "| rounds | {} of {} s each, interleaved; median with min..max |",
        run.rounds, run.seconds
    )?;
    write!(page, "| load average | {} before", run.load_average_before)?;
    if let Some(after) = run.load_average_after {
        write!(page, ", {after} after, the run itself included")?;
    }
    writeln!(page, " |")?;
    let optimized = if run.optimized { "optimised" } else { "NOT optimised" };
    writeln!(page, "| compiler | {}, {optimized} |", run.compiler)?;
    let versions: Vec<_> = run.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(page, "| versions | {} |", versions.join(", "))
}

fn required(page: &mut String, report: &Report) -> std::fmt::Result {
    if report.required.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Ratios that are required\n")?;
    for outcome in &report.required {
        writeln!(page, "- {outcome}")?;
    }
    Ok(())
}
