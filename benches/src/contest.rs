//! Rounds in which several contestants bear the same load in turn.

use std::time::Duration;

use crate::{
    contestant::{Contestant, Result},
    load::Load,
    sample::Sample,
};

/// How long is measured, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many rounds there are.
    pub rounds: usize,
    /// How long each contestant is measured in each round.
    pub time: Duration,
    /// How long it plays unmeasured before that: the machine has just been busy with another one.
    pub warm_up: Duration,
}

/// How one contestant did: a sample a round.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The contestant's name.
    pub name: &'static str,
    /// Its samples, in the order of the rounds.
    pub samples: Vec<Sample>,
}

/// Holds the contest. Each round begins with another contestant than the one before.
///
/// # Errors
/// When a call fails, or an echo differs from what was sent.
pub async fn hold(load: Load, contestants: &[&Contestant], pace: Pace) -> Result<Vec<Entry>> {
    let mut entries: Vec<_> = contestants
        .iter()
        .map(|contestant| Entry { name: contestant.name(), samples: Vec::with_capacity(pace.rounds) })
        .collect();
    for round in 0..pace.rounds {
        for turn in 0..contestants.len() {
            let next = (round + turn) % contestants.len();
            contestants[next].play(load, pace.warm_up).await?;
            entries[next].samples.push(contestants[next].play(load, pace.time).await?);
        }
    }
    Ok(entries)
}
