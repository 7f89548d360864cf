//! Calls at a steady rate, and what became of each.

use std::time::Duration;

use polywire::Status;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use super::peer::{CounterClient, Number};

/// A call, and what became of it.
pub(super) struct Ended {
    /// When it was made, behind the beginning of the load.
    pub(super) at: Duration,
    pub(super) took: Duration,
    /// The name of the increment; `None` of a read.
    pub(super) increment: Option<u64>,
    pub(super) outcome: Result<(), Status>,
}

/// The deadline of reads, which may be made again, and of increments, which may not.
pub(super) const READ: Duration = Duration::from_secs(5);
pub(super) const INCREMENT: Duration = Duration::from_secs(2);

/// 200 calls a second for so long, one in ten an increment; `each` is told how long it has been going on.
pub(super) async fn run(
    client: &CounterClient,
    length: Duration,
    mut each: impl FnMut(Duration),
) -> Vec<Ended> {
    let mut calls = JoinSet::new();
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    while begun.elapsed() < length {
        ticks.tick().await;
        each(begun.elapsed());
        number += 1;
        let (client, at) = (client.clone(), begun.elapsed());
        let increment = (number % 10 == 0).then_some(number);
        calls.spawn(async move {
            let started = Instant::now();
            let request = Number { value: number };
            let outcome = match increment {
                None => client.read(request).timeout(READ).await,
                Some(_) => client.increment(request).timeout(INCREMENT).await,
            };
            Ended { at, took: started.elapsed(), increment, outcome: outcome.map(|_| ()) }
        });
    }
    calls.join_all().await
}
