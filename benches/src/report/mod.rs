//! Everything that one run found out.

mod machine;
mod page;
mod table;

use serde::Serialize;

pub use machine::{Machine, Run};
pub use page::page;
pub(crate) use table::figure;
pub use table::table;

use crate::{
    contestant::Contestant,
    figure::{self, Figure},
    measure::Measure,
    required::{Outcome, REQUIRED},
    spread::Spread,
};

/// A run's report, as it is written in JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// When and how.
    pub run: Run,
    /// What was measured, in the order in which it is shown.
    pub measures: Vec<Measure>,
    /// Who played, in the order in which they are shown.
    pub contestants: Vec<String>,
    /// Each measure of each contestant.
    pub results: Vec<Entry>,
    /// How the ratios that are required came out.
    pub required: Vec<Outcome>,
}

/// One measure of one contestant.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The contestant's name.
    pub contestant: String,
    /// The measure's id.
    pub measure: String,
    /// Over the rounds, in the measure's unit; nothing where it cannot be measured.
    #[serde(flatten)]
    pub spread: Option<Spread>,
    /// The rounds.
    pub rounds: Vec<f64>,
    /// How it is to the contestant's peer.
    pub to_peer: Option<ToPeer>,
    /// Why it cannot be measured.
    pub absent: Option<String>,
}

/// A figure by the peer's in the same round.
#[derive(Clone, Debug, Serialize)]
pub struct ToPeer {
    /// The peer's name.
    pub peer: &'static str,
    /// The ratio, over the rounds.
    #[serde(flatten)]
    pub ratio: Spread,
}

impl Report {
    /// Puts the figures together.
    pub fn new(
        machine: Machine,
        run: Run,
        measures: Vec<Measure>,
        contestants: &[Contestant],
        figures: &[Figure],
    ) -> Self {
        let results = measures.iter().flat_map(|measure| {
            contestants.iter().filter_map(|contestant| entry(contestant, &measure.id, figures))
        });
        Self {
            results: results.collect(),
            required: REQUIRED.iter().filter_map(|required| required.outcome(figures)).collect(),
            contestants: contestants.iter().map(|contestant| contestant.name().to_owned()).collect(),
            machine,
            run,
            measures,
        }
    }

    /// What was found out by this measure, in the contestants' order.
    pub fn entries<'a>(&'a self, measure: &'a Measure) -> impl Iterator<Item = &'a Entry> {
        self.results.iter().filter(|entry| entry.measure == measure.id)
    }
}

fn entry(contestant: &Contestant, measure: &str, figures: &[Figure]) -> Option<Entry> {
    let figure = figure::find(figures, contestant.name(), measure)?;
    let to_peer = contestant.peer().and_then(|peer| {
        let by = figure::find(figures, peer, measure)?;
        Some(ToPeer { peer, ratio: Spread::of_ratios(&figure.rounds, &by.rounds)? })
    });
    Some(Entry {
        contestant: figure.contestant.clone(),
        measure: figure.measure.clone(),
        spread: Spread::of(figure.rounds.iter().copied()),
        rounds: figure.rounds.clone(),
        to_peer,
        absent: figure.absent.clone(),
    })
}
