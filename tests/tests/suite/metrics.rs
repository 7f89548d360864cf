//! What a node counts, and what no caller can make it count.

mod cardinality;
mod client;
mod monitoring;
mod refused;
mod streams;

use std::collections::BTreeMap;

/// The samples of a page, by name and labels as they are written.
pub(crate) fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        (series.to_owned(), value)
    };
    lines.map(sample).collect()
}

/// The value of the one series of this name that has all of these labels.
#[track_caller]
pub(crate) fn value(samples: &BTreeMap<String, f64>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let has_all = |series: &str| labels.iter().all(|label| series.contains(label));
    let found: Vec<_> = samples
        .iter()
        .filter(|(series, _)| series.split('{').next() == Some(name) && has_all(series))
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    *found[0].1
}
