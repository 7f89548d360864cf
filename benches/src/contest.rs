//! Rounds in which all contestants take the same turn, one after the other.

use crate::{
    contestant::{Contestant, Result},
    figure::Figure,
    measure::Probe,
    sample::Sample,
    turn::Turn,
};

/// Holds the contest. Each round begins with another contestant than the one before.
///
/// # Errors
/// When a call fails, or an answer is not what it has to be.
pub async fn hold(probe: &Probe, contestants: &[Contestant], rounds: usize) -> Result<Vec<Figure>> {
    let samples = play(probe.turn, contestants, rounds).await?;
    let mut figures = Vec::new();
    for reading in &probe.readings {
        for (contestant, samples) in contestants.iter().zip(&samples) {
            figures.push(Figure {
                contestant: contestant.name().to_owned(),
                measure: reading.measure.id.clone(),
                rounds: samples.iter().map(reading.of).collect(),
                absent: contestant.cannot(&probe.turn).map(str::to_owned),
            });
        }
    }
    Ok(figures)
}

/// The samples of each contestant, in the order of the rounds; none of one that cannot take this turn.
async fn play(turn: Turn, contestants: &[Contestant], rounds: usize) -> Result<Vec<Vec<Sample>>> {
    let mut samples: Vec<_> = contestants.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for offset in 0..contestants.len() {
            let next = (round + offset) % contestants.len();
            let contestant = &contestants[next];
            if contestant.cannot(&turn).is_none() {
                contestant.play(turn.warm_up()).await?;
                samples[next].push(contestant.play(turn).await?);
            }
        }
    }
    Ok(samples)
}
