//! The figures as text.

use super::{Entry, Report};
use crate::{
    measure::{Better, Measure},
    spread::Spread,
};

/// The figures of one measure, for a terminal.
pub fn table(report: &Report, measure: &Measure) -> String {
    let mut text = format!("{} ({})\n", measure.title, unit(measure));
    for [contestant, median, range, peer] in rows(report, measure) {
        text.push_str(format!("  {contestant:<28} {median:>10}  {range:<20} {peer}").trim_end());
        text.push('\n');
    }
    text
}

/// The unit, and which direction is good.
pub(super) fn unit(measure: &Measure) -> String {
    match measure.better {
        Better::Lower => format!("{}, lower is better", measure.unit),
        Better::Higher => format!("{}, higher is better", measure.unit),
    }
}

/// Contestant, median, extremes, and the ratio to the peer; instead of the figures a dash and the reason.
pub(super) fn rows<'a>(report: &'a Report, measure: &'a Measure) -> impl Iterator<Item = [String; 4]> {
    report.entries(measure).map(|entry| match entry.spread {
        Some(spread) => measured(entry, spread),
        None => [
            entry.contestant.clone(),
            "–".to_owned(),
            entry.absent.clone().unwrap_or_default(),
            String::new(),
        ],
    })
}

fn measured(entry: &Entry, Spread { median, min, max }: Spread) -> [String; 4] {
    let peer = entry.to_peer.as_ref().map(|to_peer| {
        let Spread { median, min, max } = to_peer.ratio;
        format!("{median:.2} × {} ({min:.2}..{max:.2})", to_peer.peer)
    });
    [
        entry.contestant.clone(),
        figure(median),
        format!("{}..{}", figure(min), figure(max)),
        peer.unwrap_or_default(),
    ]
}

/// Three digits are what is known; large numbers keep those before the point.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
