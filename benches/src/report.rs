//! The table that is printed.

use hdrhistogram::Histogram;

use crate::{contest::Entry, load::Load, sample::Sample, spread::Spread};

/// What the columns hold. Rates are the median over the rounds, with the extremes; latencies are those of
/// all rounds together.
pub fn heading() -> String {
    let columns = ["contestant", "load", "rate", "unit", "min..max", "p50 µs", "p99 µs", "cpu µs/call"];
    row(columns.map(str::to_owned))
}

/// The row of one contestant under one load.
pub fn line(load: Load, entry: &Entry) -> Option<String> {
    let (unit, rate): (_, fn(&Sample) -> f64) =
        if load.size >= 1 << 20 { ("MiB/s", Sample::throughput) } else { ("calls/s", Sample::rate) };
    let rate = Spread::of(entry.samples.iter().map(rate))?;
    let cpu = Spread::of(entry.samples.iter().map(|sample| sample.cpu_per_call().as_secs_f64() * 1e6))?;
    let latencies = together(&entry.samples)?;
    let quantile = |quantile| format!("{:.1}", latencies.value_at_quantile(quantile) as f64 / 1e3);
    Some(row([
        entry.name.to_owned(),
        load.to_string(),
        format!("{:.0}", rate.median),
        unit.to_owned(),
        format!("{:.0}..{:.0}", rate.min, rate.max),
        quantile(0.5),
        quantile(0.99),
        format!("{:.1}", cpu.median),
    ]))
}

fn row([name, load, rate, unit, spread, p50, p99, cpu]: [String; 8]) -> String {
    format!("{name:<28} {load:>10} {rate:>9} {unit:<8} {spread:>16} {p50:>9} {p99:>9} {cpu:>12}")
}

fn together(samples: &[Sample]) -> Option<Histogram<u64>> {
    let (first, others) = samples.split_first()?;
    others.iter().try_fold(first.latencies.clone(), |mut sum, sample| {
        sum.add(&sample.latencies).ok()?;
        Some(sum)
    })
}
